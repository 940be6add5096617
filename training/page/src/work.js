// One question after the other: shows it, takes the answer, and keeps that until the server has it.

import { Pending } from "./pending.js";
import { Player } from "./player.js";
import { Away, bytes, get, post, Refused } from "./requests.js";
import { Wave } from "./wave.js";

const AGAIN_MS = 2000; // until a server that is away is asked again
const CHOSEN_MS = 180; // that the choice is seen
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const element = (id) => document.getElementById(id);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export class Work {
  // told: { finished(progress), signedOut() }
  constructor(stage, told) {
    this.stage = stage;
    this.told = told;
    this.pending = null;
    this.player = new Player(element("audio"), () => this.changed());
    this.wave = new Wave(element("wave"), this.player);
    this.question = null;
    this.retry = null;
    this.progress = null;
    this.busy = false;
    this.known = new Set(); // questions whose line was heard, for those that come back by undo
    this.watch = { seconds: 0, since: null }; // that the question was in sight
    element("retry").addEventListener("click", () => this.again(this.retry));
    document.addEventListener("visibilitychange", () => this.seen());
    requestAnimationFrame(() => this.frame());
  }

  // Begin, or go on, with the questions of somebody. store: what its key is.
  async ask(name, store) {
    this.pending = new Pending(store, name);
    await this.next();
  }

  frame() {
    this.player.tick();
    if (this.question && (this.player.playing || this.dirty)) {
      this.dirty = false;
      this.stage.at(this.player.seconds);
      this.wave.draw();
      element("time").textContent = `${this.player.seconds.toFixed(1)} / ${this.player.length.toFixed(1)} s`;
    }
    requestAnimationFrame(() => this.frame());
  }

  // Something about the sound is not as it was.
  changed() {
    this.dirty = true;
    element("pause").firstElementChild.textContent = this.player.playing ? "Pause" : "Go on";
    element("clear").setAttribute("aria-disabled", String(!this.player.span));
    const heard = this.heard;
    for (const button of document.querySelectorAll("#answers [data-answer]")) {
      button.setAttribute("aria-disabled", String(!heard));
    }
    element("undo").setAttribute("aria-disabled", String(!this.progress?.undo));
    if (heard && this.question) this.known.add(this.question.id);
    if (heard && this.waiting) this.say("");
    this.waiting &&= !heard;
  }

  get heard() {
    return this.question !== null && !this.busy && (this.player.heard || this.known.has(this.question.id));
  }

  // Send what is left over, then show the question that is open.
  async next(note = "") {
    this.busy = true;
    try {
      const left = this.pending.get();
      if (left) note = await this.send(left);
      const { question, progress } = await post("/api/question");
      this.progress = progress;
      this.showProgress();
      if (question === null) {
        this.leave();
        this.told.finished(progress);
        return;
      }
      await this.show(question);
      this.say(note);
      this.watch = { seconds: 0, since: document.hidden ? null : performance.now() };
      this.busy = false;
      this.changed();
      if (!calm.matches) await this.start();
      else this.hint();
    } catch (error) {
      this.failed(error, () => this.next(note));
    }
  }

  async show(question) {
    this.leave();
    this.cover("Loading …");
    const path = `/api/questions/${question.id}`;
    element("number").textContent = `Question ${question.id}`;
    this.stage.canvas.dataset.question = question.id;
    this.question = question; // a bad clip can be called one before it can be heard
    const [wav, outline, left, right] = await Promise.all([
      bytes(`${path}/sound`),
      get(`${path}/outline`),
      get(`${path}/left`),
      get(`${path}/right`),
    ]);
    await this.player.load(wav);
    this.stage.show({ left, right });
    this.wave.show(outline);
    this.cover(null);
  }

  leave() {
    this.question = null;
    this.player.empty();
    this.stage.show(null);
    this.wave.show([]);
    this.changed();
    for (const panel of document.querySelectorAll(".panel")) panel.classList.remove("chosen");
  }

  async start() {
    if (!(await this.player.replay())) this.hint();
  }

  hint() {
    if (element("status").textContent === "") this.say("Press Space to hear the line.");
    this.waiting = true;
  }

  async answer(value) {
    if (this.busy || !this.question) return;
    if (value !== "bad clip" && !this.heard) {
      this.say("Hear the whole line once, then answer.", true);
      this.waiting = true;
      return;
    }
    this.busy = true;
    this.player.pause();
    this.look();
    this.pending.set({ question: this.question.id, answer: value, seconds: Math.round(this.watch.seconds * 10) / 10 });
    this.known.add(this.question.id);
    const sides = { one: ["left-panel"], other: ["right-panel"], same: ["left-panel", "right-panel"] }[value] ?? [];
    for (const side of sides) element(side).classList.add("chosen");
    this.changed();
    await pause(calm.matches ? 0 : CHOSEN_MS);
    await this.next();
  }

  // Until the server has it, however long it is away; what to tell of it.
  async send({ question, answer, seconds }) {
    for (;;) {
      try {
        await post(`/api/questions/${question}/answer`, { answer, seconds });
        this.pending.clear();
        return "";
      } catch (error) {
        if (error instanceof Refused && error.status !== 401) {
          this.pending.clear();
          return error.message;
        }
        if (!(error instanceof Away)) throw error;
        this.say(`${error.message} Your answer is kept here, and sent when the server is back.`, true);
        await pause(AGAIN_MS);
      }
    }
  }

  async undo() {
    if (this.busy) return;
    if (!this.progress?.undo) {
      this.say("There is no answer to take back.");
      return;
    }
    this.busy = true;
    try {
      await post(`/api/questions/${this.progress.undo}/undo`);
      await this.next("Your last answer is taken back.");
    } catch (error) {
      if (error instanceof Refused && error.gone) await this.next(error.message);
      else this.failed(error, () => this.next());
    }
  }

  // Another tab may have gone on meanwhile.
  async seen() {
    this.look();
    if (document.hidden) return this.player.pause();
    if (this.busy || !this.question) return undefined;
    const { question } = await post("/api/question").catch(() => ({ question: this.question }));
    if (this.busy) return undefined;
    if (question?.id !== this.question?.id) await this.next("You went on elsewhere; here is where you are.");
    else if (!this.heard) this.hint();
    return undefined;
  }

  // Take the time.
  look() {
    const now = performance.now();
    if (this.watch.since !== null) this.watch.seconds += (now - this.watch.since) / 1000;
    this.watch.since = document.hidden ? null : now;
  }

  failed(error, retry) {
    if (error instanceof Refused && error.status === 401) {
      this.leave();
      this.told.signedOut();
      return;
    }
    const unheard = error instanceof Refused && error.status === 422; // a sound that is not there can be a bad clip
    this.busy = !unheard;
    this.cover(unheard ? `${error.message}. Or call it a bad clip.` : error.message, retry);
    if (error instanceof Away) setTimeout(() => this.again(retry), AGAIN_MS);
  }

  // Try what failed once more, unless that was done already.
  again(retry) {
    if (retry === null || retry !== this.retry) return;
    this.cover("Trying again …");
    retry();
  }

  cover(sentence, retry = null) {
    this.retry = retry;
    element("cover").hidden = sentence === null;
    element("cover-text").textContent = sentence ?? "";
    element("retry").hidden = retry === null;
  }

  showProgress() {
    const { answered, done, pairs } = this.progress;
    element("bar").value = done / pairs;
    element("progress").textContent = `${answered} answered by you · ${done} of ${pairs} pairs done`;
  }

  say(sentence, warning = false) {
    element("status").textContent = sentence;
    element("status").classList.toggle("warning", warning);
  }
}
