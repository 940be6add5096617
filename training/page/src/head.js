// The head as the server sends it (faces.py says how) → a geometry that takes weights of blendshapes.
//
// The shapes are added up here and not on the graphics card: most weights are zero and most shapes move a small part
// of the face, so that it takes a millisecond, also where there is no graphics card.

import { BufferAttribute, BufferGeometry, Color } from "three";

export class Head {
  constructor(buffer) {
    const length = new DataView(buffer).getUint32(0, true);
    const about = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    let offset = 4 + length;
    const floats = () => {
      const array = new Float32Array(buffer, offset, 3 * about.vertices);
      offset += array.byteLength;
      return array;
    };
    this.names = about.shapes;
    this.vertices = floats();
    this.colours = linear(floats());
    const shapes = about.shapes.map(floats);
    this.triangles = new Uint32Array(buffer, offset, 3 * about.triangles);
    this.normals = this.normalsOf(this.vertices);
    this.moves = shapes.map((deltas) => moved(deltas));
    this.turns = shapes.map((deltas) => {
      const normals = this.normalsOf(this.vertices.map((value, n) => value + deltas[n]));
      return moved(normals.map((value, n) => value - this.normals[n]));
    });
  }

  // A geometry of its own, with no shape in it.
  geometry() {
    const geometry = new BufferGeometry();
    geometry.setIndex(new BufferAttribute(this.triangles, 1));
    geometry.setAttribute("position", new BufferAttribute(this.vertices.slice(), 3));
    geometry.setAttribute("normal", new BufferAttribute(this.normals.slice(), 3));
    geometry.setAttribute("color", new BufferAttribute(this.colours, 3));
    geometry.computeBoundingSphere();
    geometry.boundingSphere.radius *= 1.2; // whatever the shapes do
    return geometry;
  }

  // Put so much of each shape into a geometry; weights in the order of `names`.
  pose(geometry, weights) {
    this.put(geometry.getAttribute("position"), this.vertices, this.moves, weights);
    this.put(geometry.getAttribute("normal"), this.normals, this.turns, weights);
  }

  put(attribute, base, changes, weights) {
    const array = attribute.array;
    array.set(base);
    changes.forEach(({ places, amounts }, shape) => {
      const weight = weights[shape];
      if (weight === 0) return;
      for (let n = 0; n < places.length; n++) array[places[n]] += weight * amounts[n];
    });
    attribute.needsUpdate = true;
  }

  normalsOf(vertices) {
    const geometry = new BufferGeometry();
    geometry.setIndex(new BufferAttribute(this.triangles, 1));
    geometry.setAttribute("position", new BufferAttribute(vertices, 3));
    geometry.computeVertexNormals();
    return geometry.getAttribute("normal").array;
  }
}

// What is not zero, and where it is.
function moved(deltas) {
  const places = [];
  deltas.forEach((amount, n) => Math.abs(amount) > 1e-5 && places.push(n));
  return { places: Uint32Array.from(places), amounts: Float32Array.from(places, (n) => deltas[n]) };
}

function linear(colours) {
  const out = new Float32Array(colours.length);
  const colour = new Color();
  for (let n = 0; n < colours.length; n += 3) {
    colour.setRGB(colours[n], colours[n + 1], colours[n + 2]).convertSRGBToLinear().toArray(out, n);
  }
  return out;
}
