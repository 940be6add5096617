// The outline of the sound: where it is playing, which part is looped; drag to loop, click to go there.

const DRAG = 5; // px, below which it is a click

export class Wave {
  constructor(canvas, player) {
    this.canvas = canvas;
    this.player = player;
    this.outline = [];
    this.from = null;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", () => (this.from = null));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  show(outline) {
    this.outline = outline;
    this.draw();
  }

  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.from = event.offsetX;
  }

  move(event) {
    if (this.from === null || Math.abs(event.offsetX - this.from) < DRAG) return;
    this.player.loop(this.secondsAt(this.from), this.secondsAt(event.offsetX));
  }

  up(event) {
    if (this.from === null) return;
    const click = Math.abs(event.offsetX - this.from) < DRAG;
    this.from = null;
    if (click) this.player.seek(this.secondsAt(event.offsetX));
    this.player.play();
  }

  secondsAt(x) {
    return (Math.min(Math.max(x, 0), this.canvas.clientWidth) / this.canvas.clientWidth) * this.player.length;
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const scale = devicePixelRatio;
    if (this.canvas.width !== Math.round(width * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
    }
    const paper = this.canvas.getContext("2d");
    paper.setTransform(scale, 0, 0, scale, 0, 0);
    paper.clearRect(0, 0, width, height);
    const { seconds, length, span } = this.player;
    const at = (moment) => (length ? (moment / length) * width : 0);
    if (span) {
      paper.fillStyle = "#f0c36a33";
      paper.fillRect(at(span[0]), 0, at(span[1]) - at(span[0]), height);
    }
    const bars = Math.min(this.outline.length, Math.floor(width / 3));
    for (let n = 0; n < bars; n++) {
      const from = Math.floor((n * this.outline.length) / bars);
      const to = Math.max(from + 1, Math.floor(((n + 1) * this.outline.length) / bars));
      const tall = Math.max(2, Math.max(...this.outline.slice(from, to)) * (height - 12));
      const x = (n * width) / bars;
      paper.fillStyle = x < at(seconds) ? "#f0c36a" : "#6f7c94";
      paper.fillRect(x, (height - tall) / 2, 2, tall);
    }
    paper.fillStyle = "#ffffff";
    paper.fillRect(Math.min(at(seconds), width - 2), 0, 2, height);
  }
}
