// How the emotions of a line change, asked of `dser serve` from Node.js:
//   npm install
//   node recognize.mjs LINE.wav [HOST:PORT [ROOT.pem]]
// With the PEM file of the authority that signed the service's certificate it speaks TLS. A token, if the service asks
// for one, is in DSER_TOKEN; to another machine it goes over TLS alone.

import { createReadStream, readFileSync } from "node:fs";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PIECE_BYTES = 256 * 1024;
const TIMEOUT_MS = 3600 * 1000;
const [path, target = "127.0.0.1:50061", root] = process.argv.slice(2);
const token = process.env.DSER_TOKEN;
if (path === undefined) fail("usage: node recognize.mjs LINE.wav [HOST:PORT [ROOT.pem]]", 2);
if (token && !root && !/^(unix:|localhost:|127\.|\[::1\]:)/.test(target)) {
  fail("the token is not sent to another machine without TLS; name ROOT.pem", 2);
}

const declarations = fileURLToPath(new URL("../../proto/dser/v1/emotion_service.proto", import.meta.url));
const { dser } = grpc.loadPackageDefinition(loadSync(declarations, { enums: String, longs: Number, defaults: true }));
const credentials = root ? grpc.credentials.createSsl(readFileSync(root)) : grpc.credentials.createInsecure();
const metadata = new grpc.Metadata();
if (token) metadata.set("authorization", `Bearer ${token}`);

const client = new dser.v1.EmotionService(target, credentials);
const call = client.Recognize(metadata, { deadline: Date.now() + TIMEOUT_MS });
let head;
let told = 0;
call.on("data", (part) => {
  if (part.progress) console.error(`${part.progress.stage} ${part.progress.seconds.toFixed(1)} s`);
  if (part.head) head = part.head;
  if (part.frames) print(part.frames.concentration);
});
call.on("error", failed);
call.on("end", () => client.close());
try {
  await pipeline(Readable.from(requests()), call);
} catch (error) {
  failed(error);
}

// Options with the first message, and the file piece by piece.
async function* requests() {
  yield { options: { name: basename(path) } };
  for await (const audio of createReadStream(path, { highWaterMark: PIECE_BYTES })) yield { audio };
}

// A row each half second: how much of each emotion there is.
function print(concentration) {
  const count = head.emotions.length;
  if (told === 0) console.log(["seconds", ...head.emotions].join("\t"));
  for (let start = 0; start < concentration.length; start += count, told += 1) {
    if (told % (head.frameRateHz / 2)) continue;
    const frame = concentration.slice(start, start + count);
    const total = frame.reduce((sum, value) => sum + value, 0);
    console.log([told / head.frameRateHz, ...frame.map((value) => (value / total).toFixed(3))].join("\t"));
  }
}

// By the service's error, or the file's.
function failed(error) {
  fail(error.details ? `${grpc.status[error.code]}: ${error.details}` : error.message, 1);
}

function fail(why, code) {
  console.error(why);
  process.exit(code);
}
