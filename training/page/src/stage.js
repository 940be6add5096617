// Two heads side by side, of one geometry, each with its own weights; drawn when they change.

import { DirectionalLight, HemisphereLight, Mesh, MeshStandardMaterial, PerspectiveCamera, Scene, WebGLRenderer } from "three";
import { Head } from "./head.js";

const GAP = 14; // px between the two, as in style.css
const SIDES = ["left", "right"];

export class Stage {
  constructor(canvas, buffer) {
    this.canvas = canvas;
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.renderer.setScissorTest(true);
    this.head = new Head(buffer);
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
    this.meshes = SIDES.map(() => new Mesh(this.head.geometry(), material));
    this.scene.add(...this.meshes);
    this.meshes[0].geometry.computeBoundingBox();
    this.box = this.meshes[0].geometry.boundingBox;
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
  at(seconds, now = performance.now()) {
    if (!this.faces) {
      this.canvas.shown = null;
      this.draw();
      return;
    }
    const weights = this.faces.map((face) => weightsAt(face, seconds));
    weights.forEach((own, n) => this.head.pose(this.meshes[n].geometry, own));
    this.draw();
    this.canvas.shown = { seconds, now, names: this.head.names, weights };
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const half = (width - GAP) / 2;
    SIDES.forEach((_, n) => {
      this.renderer.setViewport(n * (half + GAP), 0, half, height);
      this.renderer.setScissor(n * (half + GAP), 0, half, height);
      this.meshes.forEach((mesh, other) => (mesh.visible = other === n && this.faces !== null));
      this.renderer.render(this.scene, this.camera);
    });
  }

  // Weights in the order of the head's shapes; those that it lacks are left out.
  reordered({ fps, names, weights }) {
    const columns = this.head.names.map((name) => names.indexOf(name));
    return { fps, rows: weights.map((row) => columns.map((column) => (column < 0 ? 0 : row[column]))) };
  }
}

function weightsAt({ fps, rows }, seconds) {
  const place = Math.min(Math.max(seconds * fps, 0), rows.length - 1);
  const before = rows[Math.floor(place)];
  const after = rows[Math.min(Math.floor(place) + 1, rows.length - 1)];
  const share = place - Math.floor(place);
  return before.map((weight, n) => weight + share * (after[n] - weight));
}
