// The sound: its clock is the one that everything follows. Knows which parts have been heard.

const PARTS = 40;
const HEARD = 0.95; // of the parts

export class Player {
  constructor(audio, changed) {
    this.audio = audio;
    this.audio.preservesPitch = true;
    this.changed = changed;
    this.span = null; // [from, to] in seconds
    this.parts = new Set();
    this.before = 0;
    for (const name of ["play", "pause", "seeked", "loadeddata"]) this.audio.addEventListener(name, () => changed());
    this.audio.addEventListener("timeupdate", () => this.tick());
    this.audio.addEventListener("ended", () => this.ended());
  }

  // Nothing to hear, and nothing heard.
  empty() {
    this.audio.pause();
    URL.revokeObjectURL(this.audio.src);
    this.audio.removeAttribute("src");
    this.audio.load();
    this.span = null;
    this.parts.clear();
    this.before = 0;
  }

  async load(wav) {
    this.empty();
    this.audio.src = URL.createObjectURL(new Blob([wav], { type: "audio/wav" }));
    await new Promise((done, failed) => {
      this.audio.onloadeddata = done;
      this.audio.onerror = () => failed(new Error("This browser cannot play the sound."));
    });
    this.audio.defaultPlaybackRate = this.audio.playbackRate;
  }

  get seconds() {
    return this.audio.currentTime;
  }

  get length() {
    return this.audio.duration || 0;
  }

  get playing() {
    return !this.audio.paused && !this.audio.ended;
  }

  get heard() {
    return this.parts.size >= HEARD * PARTS;
  }

  // Whether the browser let it play; without a gesture it may not.
  async play() {
    try {
      await this.audio.play();
      return true;
    } catch {
      return false;
    }
  }

  replay() {
    this.seek(this.span ? this.span[0] : 0);
    return this.play();
  }

  pause() {
    this.audio.pause();
  }

  goOn() {
    return this.audio.ended ? this.replay() : this.play();
  }

  seek(seconds) {
    this.audio.currentTime = Math.min(Math.max(seconds, 0), this.length);
    this.before = this.audio.currentTime;
  }

  toggleHalf() {
    const half = this.audio.playbackRate === 1;
    this.audio.defaultPlaybackRate = this.audio.playbackRate = half ? 0.5 : 1;
    return half;
  }

  loop(from, to) {
    this.span = [Math.max(0, Math.min(from, to)), Math.min(this.length, Math.max(from, to))];
    if (this.seconds < this.span[0] || this.seconds > this.span[1]) this.seek(this.span[0]);
    this.changed();
  }

  clearLoop() {
    this.span = null;
    this.changed();
  }

  // Called as often as anybody looks: notes what has been heard, and keeps within the loop.
  tick() {
    const now = this.seconds;
    const step = now - this.before;
    if (step > 0 && step < 1) this.hear(this.before, now); // whoever seeks says so
    this.before = now;
    if (this.span && this.playing && now >= this.span[1]) this.seek(this.span[0]);
  }

  hear(from, to) {
    const part = (seconds) => Math.min(PARTS - 1, Math.floor((seconds / this.length) * PARTS));
    const known = this.heard;
    for (let n = part(from); n <= part(to); n++) this.parts.add(n);
    if (this.heard && !known) this.changed();
  }

  ended() {
    this.tick();
    if (this.span) this.replay();
    this.changed();
  }
}
