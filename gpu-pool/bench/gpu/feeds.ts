import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { GraphBuilder, op, type Value } from "../../src/graphs/builder/index.ts";
import { loadNativeOps } from "../../src/onnx/native-ops.ts";
import { ResidentFeeds } from "../../src/onnx/resident-feeds.ts";
import { createSession, type Feeds, float32, floatOutput } from "../../src/onnx/session.ts";
import { toHalfArray } from "../../src/weights/float16.ts";
import { say } from "./measure.ts";

/**
 * Feeds that are kept on the GPU against feeds that are sent: that the copy is what a run reads, until it is dropped,
 * and what a run costs with as many and as large ones as the LoRA inputs of SDXL have at rank 32.
 *
 *     bun bench/gpu/feeds.ts LIBRARY [--provider cuda|cpu] [--count 1804] [--length 32000]
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    provider: { type: "string", default: "cuda" },
    count: { type: "string", default: "1804" },
    length: { type: "string", default: "32000" },
  },
});
const native = loadNativeOps(positionals[0]);
if (!native) throw new Error(`no library at ${positionals[0]}`);
const [count, length] = [Number(values.count), Number(values.length)];
const folder = await mkdtemp(join(tmpdir(), "feeds-"));

const g = new GraphBuilder();
const x = g.input("x", "float32", [1]);
let sum: Value = x;
for (let i = 0; i < count; i++) {
  const part = op.cast(g, op.slice(g, g.input(`lora.${i}`, "float16", [length]), 0, 0, 1), "float32");
  sum = op.add(g, sum, part);
}
g.output("y", sum);
const provider = values.provider === "cpu" ? "cpu" : "cuda";
const session = await createSession(g.build("feeds"), folder, { provider });

const arrays = Array.from({ length: count }, (_, i) =>
  toHalfArray(new Float32Array(length).fill((i % 7) - 2)),
);
const kept: Feeds = Object.fromEntries(
  arrays.map((data, i) => [`lora.${i}`, { dtype: "float16" as const, data, shape: [length] }]),
);
const run = async () => {
  const times: number[] = [];
  let y = 0;
  for (let i = 0; i < 8; i++) {
    const start = performance.now();
    y =
      floatOutput(await session.run({ x: float32(Float32Array.of(1), [1]), ...kept }), "y")[0] ?? Number.NaN;
    if (i > 1) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { y, min: times[0], median: times[times.length >> 1] };
};
try {
  const feeds = new ResidentFeeds(1, native);
  const sent = await run();
  const started = performance.now();
  feeds.keep(kept);
  const keepMs = performance.now() - started;
  for (const array of arrays) array.fill(0);
  const resident = await run();
  feeds.clear();
  const dropped = await run();
  const right = resident.y === sent.y && dropped.y === 1 && sent.y !== 1;
  const megabytes = (2 * count * length) / 1e6;
  say({ section: "feeds", right, count, megabytes, sent, resident, keepMs, failed: right ? 0 : 1 });
  if (!right) process.exitCode = 1;
} finally {
  await session.release();
  await rm(folder, { recursive: true, force: true });
}
