// The table of figures.

import { get } from "./requests.js";

const element = (id) => document.getElementById(id);
const share = ({ count, of }) => `${count} of ${of}`;
const percent = ({ count, of }) => (of ? `${Math.round((100 * count) / of)} %` : "–");

try {
  const figures = await get("/api/figures");
  element("pairs").textContent = share(figures.pairs);
  element("shared").textContent = share(figures.shared);
  element("alpha").textContent = figures.alpha === null ? "not known yet" : figures.alpha.toFixed(2);
  for (const one of figures.annotators) {
    const row = element("annotators").insertRow();
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = one.name;
    row.append(name);
    const seconds = one.median_seconds === null ? "–" : one.median_seconds.toFixed(1);
    for (const text of [one.answers, seconds, percent(one.left), percent(one.cannot_tell), share(one.again), share(one.caught)]) {
      row.insertCell().textContent = text;
    }
  }
  element("status").hidden = true;
  element("content").hidden = false;
} catch (error) {
  element("status").textContent = error.message;
}
