// The head as the server sends it (faces.py says how) → a geometry with a morph target for each blendshape.

import { BufferAttribute, BufferGeometry, Color } from "three";

export function geometryOf(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let offset = 4 + length;
  const floats = () => {
    const array = new Float32Array(buffer, offset, 3 * about.vertices);
    offset += array.byteLength;
    return array;
  };
  const vertices = floats();
  const colours = linear(floats());
  const shapes = about.shapes.map(floats);
  const triangles = new Uint32Array(buffer, offset, 3 * about.triangles);

  const geometry = new BufferGeometry();
  geometry.setIndex(new BufferAttribute(triangles, 1));
  geometry.setAttribute("position", new BufferAttribute(vertices, 3));
  geometry.setAttribute("color", new BufferAttribute(colours, 3));
  geometry.computeBoundingBox(); // before there are shapes: it would hold them all at once
  geometry.computeVertexNormals();
  const normals = geometry.getAttribute("normal").array;
  geometry.morphTargetsRelative = true;
  geometry.morphAttributes.position = shapes.map((deltas) => new BufferAttribute(deltas, 3));
  geometry.morphAttributes.normal = shapes.map(
    (deltas) => new BufferAttribute(normalChange(triangles, vertices, deltas, normals), 3),
  );
  return { geometry, names: about.shapes };
}

// What a shape does to the light: without it a smile would be shaded like a straight face.
function normalChange(triangles, vertices, deltas, normals) {
  const moved = new BufferGeometry();
  moved.setIndex(new BufferAttribute(triangles, 1));
  moved.setAttribute("position", new BufferAttribute(vertices.map((value, n) => value + deltas[n]), 3));
  moved.computeVertexNormals();
  return moved.getAttribute("normal").array.map((value, n) => value - normals[n]);
}

function linear(colours) {
  const out = new Float32Array(colours.length);
  const colour = new Color();
  for (let n = 0; n < colours.length; n += 3) {
    colour.setRGB(colours[n], colours[n + 1], colours[n + 2]).convertSRGBToLinear().toArray(out, n);
  }
  return out;
}
