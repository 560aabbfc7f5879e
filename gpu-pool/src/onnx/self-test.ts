// A second of work on a device, compared with the CPU: a convolution, a matrix product and a norm. Prints one line of
// JSON. A process of its own, because libraries that do not fit may take it down.
//
//     bun self-test.ts [cuda|cpu] [index of the GPU]
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GraphBuilder, op } from "../graphs/builder/index.ts";
import { Mt19937 } from "../random/index.ts";
import { createSession, float32, floatOutput, type SessionOptions } from "./session.ts";

const [CHANNELS, SIDE] = [64, 64];

function buildModel() {
  const g = new GraphBuilder();
  const x = g.input("x", "float32", [1, CHANNELS, SIDE, SIDE]);
  const kernel = g.input("kernel", "float32", [CHANNELS, CHANNELS, 3, 3]);
  const weight = g.input("weight", "float32", [SIDE, SIDE]);
  const pads = { pads: { ints: [1, 1, 1, 1] } };
  const convolved = g.node("Conv", [x, kernel], { shape: x.shape }, pads);
  const product = op.matmul(g, convolved, weight);
  const mean = op.reduce(g, "ReduceMean", op.mul(g, product, product), [-1]);
  g.output("y", op.div(g, product, op.unary(g, "Sqrt", op.add(g, mean, op.scalar(g, 1e-5)))));
  return g.build("self_test");
}

const [provider = "cuda", index = "0"] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), "cartoon-self-test-"));
try {
  const random = new Mt19937(1);
  const tensor = (...shape: number[]) => float32(random.randn(shape.reduce((a, b) => a * b, 1)), shape);
  const feeds = {
    x: tensor(1, CHANNELS, SIDE, SIDE),
    kernel: tensor(CHANNELS, CHANNELS, 3, 3),
    weight: tensor(SIDE, SIDE),
  };
  const model = buildModel();
  const run = async (options: SessionOptions) => {
    const session = await createSession(model, folder, options);
    const first = floatOutput(await session.run(feeds), "y");
    const started = performance.now();
    const second = floatOutput(await session.run(feeds), "y");
    const ms = performance.now() - started;
    await session.release();
    return { first, ms, repeats: first.every((value, i) => value === second[i]) };
  };
  const started = performance.now();
  const device = provider === "cpu" ? { provider: "cpu" as const } : { provider: "cuda" as const };
  const there = await run({ ...device, deviceId: Number(index) });
  const seconds = (performance.now() - started) / 1000;
  const here = await run({ provider: "cpu" });
  let error = 0;
  let norm = 0;
  for (const [i, value] of here.first.entries()) {
    error += (value - (there.first[i] ?? Number.NaN)) ** 2;
    norm += value ** 2;
  }
  console.log(
    JSON.stringify({ error: Math.sqrt(error / norm), seconds, ms: there.ms, repeats: there.repeats }),
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
