// Times the attention shapes of a 1024x1024 clip under the environment that it is started with: which kernels ONNX
// Runtime takes is settled by environment variables, once per process. Prints one line of JSON.
//
//     bun measure-attention.ts [cuda|cpu] [rows]
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GraphBuilder } from "../graphs/builder/index.ts";
import { Mt19937 } from "../random/index.ts";
import { createSession, float32 } from "./session.ts";

/** Heads, sequence and width of spatial attention at two levels and of packed temporal attention, and their rows. */
const SHAPES = [
  { heads: 10, tokens: 4096, width: 640, rows: 1 },
  { heads: 20, tokens: 1024, width: 1280, rows: 2 },
  { heads: 8, tokens: 64, width: 320, rows: 256 },
] as const;
const REPEATS = 4;

const [provider = "cuda", share = "1"] = process.argv.slice(2);
const isCuda = provider === "cuda";
const folder = await mkdtemp(join(tmpdir(), "cartoon-attention-"));

async function time({ heads, tokens, width, rows }: (typeof SHAPES)[number]): Promise<number> {
  const g = new GraphBuilder({ dtype: isCuda ? "float16" : "float32" });
  const shape = [Math.max(1, Math.round(rows * Number(share))), Math.round(tokens * Number(share)), width];
  const x = g.floatInput("x", shape);
  const attributes = { num_heads: { i: heads } };
  g.floatOutput("y", g.node("MultiHeadAttention", [x, x, x], {}, attributes, "com.microsoft"));
  const session = await createSession(g.build("attention"), folder, { provider: isCuda ? "cuda" : "cpu" });
  const feeds = { x: float32(new Mt19937(1).randn(shape.reduce((a, b) => a * b, 1)), shape) };
  const times: number[] = [];
  for (let i = 0; i <= REPEATS; i++) {
    const started = performance.now();
    await session.run(feeds);
    times.push(performance.now() - started);
  }
  await session.release();
  return Math.min(...times.slice(1));
}

try {
  let ms = 0;
  for (const shape of SHAPES) ms += await time(shape);
  console.log(JSON.stringify({ ms }));
} finally {
  await rm(folder, { recursive: true, force: true });
}
