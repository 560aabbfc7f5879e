import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { OnnxModel } from "../../src/graphs/builder/index.ts";
import {
  createSession,
  type Feeds,
  floatOutput,
  type Session,
  type SessionOptions,
} from "../../src/onnx/session.ts";

/** One JSON line per figure: what `torch_sdxl.py` and `full_size.py` print too. */
export function say(figures: Record<string, unknown>): void {
  console.log(JSON.stringify(figures));
}

export async function floats(path: string): Promise<Float32Array> {
  const bytes = await readFile(path);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

/** Relative L2 distance. */
export function distance(got: Float32Array, reference: Float32Array): number {
  let error = 0;
  let norm = 0;
  for (let i = 0; i < reference.length; i++) {
    error += ((got[i] ?? Number.NaN) - (reference[i] ?? 0)) ** 2;
    norm += (reference[i] ?? 0) ** 2;
  }
  return Math.sqrt(error / norm);
}

/** nvidia-smi lists every card, whatever CUDA_VISIBLE_DEVICES leaves to this process. */
const memoryQuery = () => [
  `--id=${process.env.CUDA_VISIBLE_DEVICES?.split(",")[0] || "0"}`,
  "--query-gpu=memory.used",
  "--format=csv,noheader,nounits",
];

/** MiB in use on the process's first card by nvidia-smi; undefined without a card. */
export function memoryUsed(): number | undefined {
  try {
    const query = memoryQuery();
    return Number(execFileSync("nvidia-smi", query, { encoding: "utf8" }).split("\n")[0]);
  } catch {
    return undefined;
  }
}

/** Watches the card's memory every 100 ms from another process, as a run blocks this one. */
export function watchMemory(): { peak(): Promise<number | undefined> } {
  const query = [...memoryQuery(), "-lms", "100"];
  const watcher = spawn("nvidia-smi", query, { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  watcher.on("error", () => undefined);
  watcher.stdout.on("data", (chunk) => {
    text += chunk;
  });
  return {
    async peak() {
      await new Promise((resolve) => setTimeout(resolve, 300));
      watcher.kill();
      const readings = text.split("\n").map(Number).filter(Boolean);
      return readings.length > 0 ? Math.max(...readings) : undefined;
    },
  };
}

export interface Opened {
  readonly session: Session;
  readonly model: OnnxModel;
  readonly buildMs: number;
  readonly createMs: number;
}

export async function open(
  provider: "cuda" | "cpu",
  cacheDir: string,
  build: () => OnnxModel,
  options: SessionOptions = {},
): Promise<Opened> {
  const start = performance.now();
  const model = build();
  const built = performance.now();
  const session = await createSession(model, cacheDir, { provider, ...options });
  return {
    session,
    model,
    buildMs: Math.round(built - start),
    createMs: Math.round(performance.now() - built),
  };
}

/** Runs twice to warm up, then `repeats` times. @returns figures, and the last output */
export async function timed(session: Session, feeds: Feeds, output: string, repeats: number) {
  const times: number[] = [];
  const hashes = new Set<string>();
  let result: Float32Array = new Float32Array(0);
  for (let i = 0; i < repeats + 2; i++) {
    const start = performance.now();
    result = floatOutput(await session.run(feeds), output);
    times.push(performance.now() - start);
    hashes.add(createHash("sha1").update(result).digest("hex"));
  }
  const sorted = times.slice(2).sort((a, b) => a - b);
  const round = (x: number | undefined) => Math.round((x ?? Number.NaN) * 100) / 100;
  const figures = {
    min: round(sorted[0]),
    median: round(sorted[sorted.length >> 1]),
    first: round(times[0]),
    second: round(times[1]),
    outputs: hashes.size,
    runs: times.length,
    hash: [...hashes].at(-1)?.slice(0, 12),
  };
  return { figures, result };
}
