// How the emotions of a line change, asked of `dser serve` from Node.js:
//   npm install
//   node recognize.mjs LINE.wav [HOST:PORT]      (a token, if the service asks for one, in DSER_TOKEN)

import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PIECE_BYTES = 256 * 1024;
const [path, target = "127.0.0.1:50061"] = process.argv.slice(2);
if (path === undefined) {
  console.error("usage: node recognize.mjs LINE.wav [HOST:PORT]");
  process.exit(2);
}

const declarations = fileURLToPath(new URL("../../proto/dser/v1/emotion_service.proto", import.meta.url));
const { dser } = grpc.loadPackageDefinition(loadSync(declarations, { enums: String, longs: Number, defaults: true }));
const client = new dser.v1.EmotionService(target, grpc.credentials.createInsecure());
const metadata = new grpc.Metadata();
if (process.env.DSER_TOKEN) metadata.set("authorization", `Bearer ${process.env.DSER_TOKEN}`);

const call = client.Recognize(metadata);
let head;
let told = 0;
call.on("data", (part) => {
  if (part.progress) console.error(`${part.progress.stage} ${part.progress.seconds.toFixed(1)} s`);
  if (part.head) head = part.head;
  if (part.frames) print(part.frames.concentration);
});
call.on("error", (error) => {
  console.error(`${grpc.status[error.code]}: ${error.details}`);
  process.exitCode = 1;
});
call.on("end", () => client.close());

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

call.write({ options: { name: basename(path) } });
for await (const audio of createReadStream(path, { highWaterMark: PIECE_BYTES })) {
  if (!call.write({ audio })) await new Promise((resolve) => call.once("drain", resolve));
}
call.end();
