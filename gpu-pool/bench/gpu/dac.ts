import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { int64 } from "../../src/onnx/session.ts";
import { decodeCodes, encodeSamples } from "../../src/pipelines/dia/codec.ts";
import { type DacChoices, type DacModel, loadDacModel } from "../../src/pipelines/dia/model.ts";
import { memoryUsed, say } from "./measure.ts";

/** What the sections compare with, as full_size.py wrote it. */
export interface CodecReference {
  readonly folder: string;
  readonly device: "cpu" | "cuda";
  readonly cacheDir: string;
  /** By codebook, then frame. */
  readonly codes: readonly (readonly number[])[];
  readonly audio: Float32Array;
  readonly wave: Float32Array;
  readonly encoded: readonly (readonly number[])[];
  readonly transformersSeconds: number;
}

/** How DAC could decode on a GPU, to be timed against each other; `native` needs the own operators. */
const VARIANTS: Readonly<Record<string, Partial<DacChoices>>> = {
  conv1d: { kernels: "conv1d", pieceFrames: 48 },
  conv2d: { kernels: "conv2d", pieceFrames: 48 },
  "conv2d-whole": { kernels: "conv2d", pieceFrames: 2048 },
  "conv2d-half-whole": { kernels: "conv2d", dtype: "float16", pieceFrames: 2048 },
  "matmul-64": { kernels: "matmul", pieceFrames: 64 },
  "matmul-128": { kernels: "matmul", pieceFrames: 128 },
  "matmul-256": { kernels: "matmul", pieceFrames: 256 },
  "matmul-whole": { kernels: "matmul", pieceFrames: 2048 },
  "native-64": { kernels: "native", pieceFrames: 64 },
  "native-128": { kernels: "native", pieceFrames: 128 },
  "native-256": { kernels: "native", pieceFrames: 256 },
  "native-whole": { kernels: "native", pieceFrames: 2048 },
  "matmul-half-128": { kernels: "matmul", dtype: "float16", pieceFrames: 128 },
  "matmul-half-256": { kernels: "matmul", dtype: "float16", pieceFrames: 256 },
};

const now = () => performance.now();
const round = (value: number) => Math.round(value * 100) / 100;
/** The product turns TF32 off where the own operators' library lets it. */
const tf32 = process.env.NVIDIA_TF32_OVERRIDE !== "0" && !process.env.VOICE_LIBRARY;

function load(
  { folder, cacheDir, device }: CodecReference,
  dac: Partial<DacChoices> = {},
): Promise<DacModel> {
  return loadDacModel(join(folder, "dac"), { cacheDir, device, dac });
}

/** The product's own way: error and speed against transformers, and the encoder's codes. */
export async function codec(reference: CodecReference): Promise<void> {
  const dac = await load(reference);
  await decodeCodes(dac, reference.codes);
  await decoded(dac, reference, { section: "DAC decode", tf32 });
  const started = now();
  const codes = await encodeSamples(dac, reference.wave);
  const first = now();
  await encodeSamples(dac, reference.wave);
  const same = reference.encoded
    .flatMap((row, c) => row.map((code, t) => code === codes[t]?.[c]))
    .filter(Boolean).length;
  say({
    section: "DAC encode",
    equalCodes: same,
    codes: reference.encoded.flat().length,
    firstMs: round(first - started),
    secondMs: round(now() - first),
    memoryMiB: memoryUsed(),
  });
  await dac.release();
}

async function decoded(dac: DacModel, { codes, audio, transformersSeconds }: CodecReference, labels: object) {
  const times: number[] = [];
  let made: Float32Array = new Float32Array(0);
  for (let i = 0; i < 3; i++) {
    const started = now();
    made = await decodeCodes(dac, codes);
    times.push(now() - started);
  }
  const seconds = Math.min(...times) / 1000;
  const largestError = audio.reduce(
    (w, value, i) => Math.max(w, Math.abs(value - (made[i] ?? Number.NaN))),
    0,
  );
  const speechSeconds = made.length / dac.config.sampleRate;
  const memoryMiB = memoryUsed();
  const timesRealTime = round(speechSeconds / seconds);
  say({ ...labels, largestError, speechSeconds, seconds, timesRealTime, transformersSeconds, memoryMiB });
}

/** Runs of one length: the first pays for what is new about it, the third comes after another length. */
async function lengthCosts(dac: DacModel, { codes }: CodecReference, frames: number): Promise<number[]> {
  const feed = (length: number) =>
    int64(
      codes.flatMap((row) => Array.from({ length }, (_, t) => row[t % row.length] ?? 0)),
      [codes.length, length],
    );
  const times: number[] = [];
  for (const length of [frames, frames, frames - 1, frames, frames]) {
    const started = now();
    await dac.decoder.run({ audio_codes: feed(length) });
    times.push(round(now() - started));
  }
  return times;
}

/**
 * Every variant, or those named in DAC_VARIANTS: the 5 s of speech, and what a new length costs: milliseconds of runs
 * of n, n, n - 1, n, n frames.
 */
export async function codecVariants(reference: CodecReference): Promise<void> {
  const names = process.env.DAC_VARIANTS?.split(",") ?? Object.keys(VARIANTS);
  for (const name of names) {
    const choices = VARIANTS[name];
    if (!choices) throw new Error(`no variant "${name}"; there are ${Object.keys(VARIANTS).join(", ")}`);
    try {
      const started = now();
      const dac = await load(reference, choices);
      const loadMs = round(now() - started);
      const first = now();
      await decodeCodes(dac, reference.codes);
      const firstMs = round(now() - first);
      await decoded(dac, reference, { section: "DAC variant", name, tf32, loadMs, firstMs });
      const frames = Math.min(choices.pieceFrames ?? 0, 430) + 20;
      say({ section: "DAC new length", name, tf32, frames, ms: await lengthCosts(dac, reference, frames) });
      await dac.release();
    } catch (error) {
      say({ section: "DAC variant", name, tf32, error: String(error).slice(0, 400) });
    }
  }
}

interface TraceEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string; readonly provider?: string };
}

/**
 * Milliseconds of each operator in the last of three decodes of one piece, and the nodes that run on the CPU.
 * CUDA_LAUNCH_BLOCKING=1, or they are launch times.
 */
export async function codecProfile(reference: CodecReference): Promise<void> {
  const folder = await mkdtemp(join(reference.cacheDir, "trace-"));
  for (const name of process.env.DAC_VARIANTS?.split(",") ?? [
    "conv1d",
    "conv2d",
    "matmul-128",
    "native-128",
  ]) {
    const profilePrefix = join(folder, name);
    const { cacheDir, device } = reference;
    const dac = await loadDacModel(join(reference.folder, "dac"), {
      ...{ cacheDir, device, dac: VARIANTS[name] ?? {}, profilePrefix },
    });
    const frames = Math.min((VARIANTS[name]?.pieceFrames ?? 0) + 20, reference.codes[0]?.length ?? 0);
    const feed = int64(
      reference.codes.flatMap((row) => row.slice(0, frames)),
      [reference.codes.length, frames],
    );
    for (let i = 0; i < 3; i++) await dac.decoder.run({ audio_codes: feed });
    await dac.release();
    const file = (await readdir(folder)).find((entry) => entry.startsWith(name));
    if (!file) throw new Error("ONNX Runtime wrote no trace");
    sayProfile(name, frames, JSON.parse(await readFile(join(folder, file), "utf8")) as TraceEvent[]);
  }
}

function sayProfile(name: string, frames: number, events: readonly TraceEvent[]): void {
  const last = events.filter((event) => event.name === "model_run").at(-1);
  const sums = new Map<string, { ms: number; count: number }>();
  const onCpu: Record<string, number> = {};
  for (const { cat, name: node, ts, dur, args } of events) {
    if (cat !== "Node" || !node.endsWith("_kernel_time") || ts < (last?.ts ?? 0) || !args?.op_name) continue;
    const sum = sums.get(args.op_name) ?? { ms: 0, count: 0 };
    sums.set(args.op_name, { ms: sum.ms + dur / 1000, count: sum.count + 1 });
    if (args.provider === "CPUExecutionProvider") onCpu[args.op_name] = (onCpu[args.op_name] ?? 0) + 1;
  }
  const ops = [...sums]
    .sort((a, b) => b[1].ms - a[1].ms)
    .map(([op, { ms, count }]) => [op, round(ms), count]);
  say({ section: "DAC profile", name, tf32, frames, runMs: round((last?.dur ?? 0) / 1000), ops, onCpu });
}
