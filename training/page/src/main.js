// Who is there, then the work.

import { connect } from "./controls.js";
import { bytes, get, post } from "./requests.js";
import { Stage } from "./stage.js";
import { Work } from "./work.js";

const element = (id) => document.getElementById(id);
const views = ["sign-in", "work", "done"];
let work = null;

function show(view) {
  for (const id of views) element(id).hidden = id !== view;
}

// The token may come as #token=…, which browsers send to nobody; it does not stay in the address.
function tokenInAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token !== null) history.replaceState(null, "", location.pathname);
  return token;
}

async function begin() {
  try {
    const session = await get("/api/session");
    if (session.name === null) askWho(session.token);
    else await start(session);
  } catch (error) {
    askWho(false);
    element("sign-in-error").textContent = error.message;
  }
}

function askWho(token) {
  show("sign-in");
  element("token-field").hidden = !token || element("token").value !== "";
  element("name").focus();
}

async function start({ name, store }) {
  element("who").textContent = name;
  show("work");
  if (work === null) {
    const head = await bytes("/api/head");
    let stage;
    try {
      stage = new Stage(element("faces"), head);
    } catch {
      throw new Error("This browser shows no 3D; switch on hardware acceleration or WebGL, or take another browser.");
    }
    work = new Work(stage, { finished, signedOut: begin });
    connect(work);
  }
  await work.ask(name, store);
}

function finished({ answered, undo }) {
  show("done");
  element("done-text").textContent = `You have answered ${answered} questions, and nothing is left to ask you.`;
  element("done-undo").hidden = undo === null;
}

element("sign-in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  element("sign-in-error").textContent = "";
  try {
    await post("/api/sign-in", { name: element("name").value, token: element("token").value });
    await begin();
  } catch (error) {
    element("token-field").hidden &&= error.status !== 401;
    element("sign-in-error").textContent = error.message;
  }
});

element("sign-out").addEventListener("click", async () => {
  await post("/api/sign-out").catch(() => {});
  location.reload();
});

element("done-undo").addEventListener("click", async () => {
  work.busy = false;
  show("work");
  await work.undo();
});

element("token").value = tokenInAddress() ?? "";
begin();
