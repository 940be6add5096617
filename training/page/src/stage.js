// Two heads side by side, of one geometry, each with its own weights; drawn when they change.

import { DirectionalLight, HemisphereLight, Mesh, MeshStandardMaterial, PerspectiveCamera, Scene, WebGLRenderer } from "three";
import { geometryOf } from "./head.js";

const GAP = 14; // px between the two, as in style.css
const SIDES = ["left", "right"];

export class Stage {
  constructor(canvas, buffer) {
    this.canvas = canvas;
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.renderer.setScissorTest(true);
    const { geometry, names } = geometryOf(buffer);
    this.names = names;
    this.scene = new Scene();
    this.scene.add(new HemisphereLight(0xdfe8ff, 0x3a2f2a, 1.5));
    for (const [colour, strength, place] of [
      [0xfff1dd, 2.2, [-1.2, 1.4, 2.2]],
      [0x9fc0ff, 0.7, [1.8, 0.2, 1.0]],
      [0xffffff, 0.9, [0.3, 1.2, -2.0]],
    ]) {
      const light = new DirectionalLight(colour, strength);
      light.position.set(...place);
      this.scene.add(light);
    }
    const material = new MeshStandardMaterial({ vertexColors: true, roughness: 0.62, metalness: 0 });
    this.heads = SIDES.map(() => new Mesh(geometry, material));
    this.scene.add(...this.heads);
    this.box = geometry.boundingBox;
    this.camera = new PerspectiveCamera(22, 1, 0.1, 20);
    this.faces = null;
    canvas.shown = null;
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    const half = (width - GAP) / 2;
    this.camera.aspect = half / height;
    // As near as leaves some air above and beside the head; the bust ends where the panel does.
    const { min, max } = this.box;
    const air = 0.1 * (max.y - min.y);
    const tall = Math.max(max.y - min.y + air, (1.1 * (max.x - min.x)) / this.camera.aspect);
    const middle = max.y + air - tall / 2;
    this.camera.position.set(0, middle, tall / 2 / Math.tan((this.camera.fov * Math.PI) / 360));
    this.camera.lookAt(0, middle, 0);
    this.camera.updateProjectionMatrix();
    this.draw();
  }

  // faces: { left, right }, each { fps, names, weights }; null for none.
  show(faces) {
    this.faces = faces && SIDES.map((side) => this.reordered(faces[side]));
    this.at(0);
  }

  // Pose both heads as they are so many seconds into the line.
  at(seconds) {
    if (!this.faces) {
      this.canvas.shown = null;
      this.draw();
      return;
    }
    this.faces.forEach((face, n) => pose(this.heads[n].morphTargetInfluences, face, seconds));
    this.draw();
    this.canvas.shown = { seconds, names: this.names, weights: this.heads.map((head) => [...head.morphTargetInfluences]) };
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const half = (width - GAP) / 2;
    SIDES.forEach((_, n) => {
      this.renderer.setViewport(n * (half + GAP), 0, half, height);
      this.renderer.setScissor(n * (half + GAP), 0, half, height);
      this.heads.forEach((head, other) => (head.visible = other === n && this.faces !== null));
      this.renderer.render(this.scene, this.camera);
    });
  }

  // Weights in the order of the head's shapes; those that it lacks are left out.
  reordered({ fps, names, weights }) {
    const columns = this.names.map((name) => names.indexOf(name));
    return { fps, rows: weights.map((row) => columns.map((column) => (column < 0 ? 0 : row[column]))) };
  }
}

function pose(influences, { fps, rows }, seconds) {
  const place = Math.min(Math.max(seconds * fps, 0), rows.length - 1);
  const before = rows[Math.floor(place)];
  const after = rows[Math.min(Math.floor(place) + 1, rows.length - 1)];
  const share = place - Math.floor(place);
  for (let n = 0; n < before.length; n++) influences[n] = before[n] + share * (after[n] - before[n]);
}
