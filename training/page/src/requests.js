// What the page asks the server. Failures are Refused (the server said no) or Away (it could not be asked).

export class Refused extends Error {
  constructor(sentence, status, gone) {
    super(sentence);
    this.status = status;
    this.gone = gone;
  }
}

export class Away extends Error {}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Away("The server cannot be reached.");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  const sentence = told.error ?? "The server failed; its log says why.";
  if (response.status >= 500 && response.status !== 502) throw new Away(sentence);
  throw new Refused(sentence, response.status, told.gone === true);
}

export async function get(path, signal) {
  return (await call(path, { signal })).json();
}

export async function bytes(path, signal) {
  return (await call(path, { signal })).arrayBuffer();
}

export async function post(path, body = {}) {
  const headers = { "content-type": "application/json" };
  return (await call(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}
