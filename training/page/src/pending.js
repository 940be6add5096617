// An answer that the server has not confirmed yet: kept by the browser, through reloads, until it has.

export class Pending {
  constructor(work, name) {
    this.key = `dser-pending ${work} ${name}`;
  }

  get() {
    try {
      return JSON.parse(localStorage.getItem(this.key));
    } catch {
      return null;
    }
  }

  set(answer) {
    localStorage.setItem(this.key, JSON.stringify(answer));
  }

  clear() {
    localStorage.removeItem(this.key);
  }
}
