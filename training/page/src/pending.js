// An answer that the server has not confirmed yet: kept by the browser, through reloads, until it has.

export class Pending {
  constructor(store, name) {
    this.key = `dser-pending ${store} ${name}`;
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
