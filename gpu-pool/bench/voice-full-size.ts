/**
 * Full-size Dia and DAC beside transformers on the same random weights, one JSON line a figure:
 *
 *     python scripts/goldens/voice/full_size.py FOLDER
 *     ORT_ENABLE_CUDNN_FLASH_ATTENTION=0 NVIDIA_TF32_OVERRIDE=0 \
 *       bun gpu-pool/bench/voice-full-size.ts FOLDER cuda|cpu [speed|batch|codec|first-second|parity|tokens …]
 *
 * `first-second` is the time from a request to the first second of its sound, all of it included. `codec-variants` times the
 * ways in which DAC can decode (DAC_VARIANTS: those named; without NVIDIA_TF32_OVERRIDE=0 TF32 is allowed),
 * `codec-profile` says where the time goes and wants CUDA_LAUNCH_BLOCKING=1.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DiaConfig } from "../src/graphs/dia-config.ts";
import { buildDiaDecoder } from "../src/graphs/dia-decoder.ts";
import { buildDiaEncoder } from "../src/graphs/dia-encoder.ts";
import { DIA_CPU, DIA_CUDA, type DiaTarget } from "../src/graphs/dia-layers.ts";
import { loadNativeOps } from "../src/onnx/native-ops.ts";
import { createSession, float32, floatOutput, int64 } from "../src/onnx/session.ts";
import { promptRows } from "../src/pipelines/dia/delay-pattern.ts";
import { generate } from "../src/pipelines/dia/generate.ts";
import { type DiaModel, loadDiaModel } from "../src/pipelines/dia/model.ts";
import { openWeights } from "../src/weights/weight-set.ts";
import { type CodecReference, codec, codecProfile, codecVariants } from "./gpu/dac.ts";
import { firstSecond } from "./gpu/first-second.ts";
import { memoryUsed, say, watchMemory } from "./gpu/measure.ts";

const folder = process.argv[2] ?? ".";
const device = process.argv[3] === "cpu" ? "cpu" : "cuda";
const cacheDir = join(folder, "graphs");
const raw = async (name: string) => {
  const bytes = await readFile(join(folder, `${name}.f32`));
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
};
const reference = JSON.parse(await readFile(join(folder, "reference.json"), "utf8"));
const text = new TextEncoder().encode(reference.text);
const now = () => performance.now();

/** Logits of given tokens; on a GPU with the Loop, and with the own operators with DiaDecode too. */
async function parity(): Promise<void> {
  await parityOf(false);
  if (device === "cuda" && loadNativeOps()) await parityOf(true);
}

async function parityOf(nativeLoop: boolean): Promise<void> {
  const config = DiaConfig.parse(JSON.parse(await readFile(join(folder, "dia/config.json"), "utf8")));
  const weights = await openWeights([join(folder, "dia/model.safetensors")]);
  const target = { ...(device === "cuda" ? DIA_CUDA : DIA_CPU), nativeLoop };
  const crossOutputs = target.cross === "fed";
  const encoder = await createSession(
    buildDiaEncoder(config, weights, { dtype: target.dtype, crossOutputs }),
    cacheDir,
    { provider: device },
  );
  const model = buildDiaDecoder(config, weights, target, { logits: true });
  const decoder = await createSession(model, cacheDir, { provider: device, memoryPattern: false });
  const { decoder: c } = config;
  const rows: number[][] = reference.rows;
  const prompt = 16;
  const steps = rows.length - prompt;
  const T = text.length;
  const mask = float32(new Float32Array(2 * T).fill(1), [2, T]);
  const encoded = await encoder.run({ input_ids: int64([...text, ...new Uint8Array(T)], [2, T]), mask });
  const { encoder_hidden: hidden, cross_k: crossK, cross_v: crossV } = encoded;
  if (!hidden) throw new Error("no encoder output");
  const shape = [c.num_hidden_layers, 2, c.num_key_value_heads, 0, c.head_dim];
  const data = target.dtype === "float16" ? new Uint16Array(0) : new Float32Array(0);
  const past = { dtype: target.dtype, data, shape };
  const next = [...rows.slice(prompt + 1), rows[0] ?? []];
  const outputs = await decoder.run({
    n: int64([steps], []),
    prompt: int64(rows.slice(0, prompt).flat(), [1, prompt, c.num_channels]),
    tok: int64(rows[prompt] ?? [], [1, c.num_channels]),
    ending: int64([-1], [1]),
    past_k: past,
    past_v: past,
    mask,
    ...(crossK && crossV ? { cross_k: crossK, cross_v: crossV } : { encoder_hidden: hidden }),
    ...(nativeLoop ? { cache: int64([0, 0, 0, 0, 0], [5]) } : {}),
    forced: int64(next.flat(), [steps, 1, c.num_channels]),
    gumbel: float32(new Float32Array(steps * c.num_channels * 45), [steps, 1, c.num_channels, 45]),
    params: float32(Float32Array.of(3, 1, 0.9), [3, 1]),
  });
  const actual = floatOutput(outputs, "logits");
  const expected = (await raw("logits")).subarray(prompt * 2 * c.num_channels * c.vocab_size);
  say({
    section: "voice logits",
    loop: nativeLoop ? "own" : "stock",
    steps,
    fromFloat32: relative(actual, expected),
    transformersHalf: reference.halfRelative,
  });
  await encoder.release();
  await decoder.release();
}

function relative(actual: Float32Array, expected: Float32Array): number {
  let difference = 0;
  let total = 0;
  for (const [i, value] of expected.entries()) {
    difference += ((actual[i] ?? 0) - value) ** 2;
    total += value ** 2;
  }
  return Math.sqrt(difference / total);
}

const sampling = {
  guidanceScale: reference.sampling.guidance_scale,
  temperature: reference.sampling.temperature,
  topP: reference.sampling.top_p,
  topK: reference.sampling.top_k,
};

async function tokens(): Promise<void> {
  const model = await loadDiaModel(join(folder, "dia"), { cacheDir, device, precision: "float32" });
  const request = { text, lastRow: reference.maxLength - 1, seed: 1, noise: await raw("noise"), sampling };
  const [made] = await generate(model, [request]);
  const rows = [...promptRows(model.config, []), ...(made?.rows ?? [])];
  const expected: number[][] = reference.sequence;
  const wrong = expected.findIndex((row, i) => row.some((token, c) => token !== rows[i]?.[c]));
  say({ section: "voice tokens, float32", rows: expected.length, firstDifference: wrong < 0 ? null : wrong });
  await model.release();
}

const length = device === "cuda" ? 860 : 60;
// VOICE_LIBRARY: the own operators. VOICE_CHOICES=separate: ONNX Runtime's Loop, three products for queries, keys and
// values; VOICE_CHOICES=loop: its Loop with all else that the own operators give.
if (process.env.VOICE_LIBRARY) loadNativeOps(process.env.VOICE_LIBRARY);
const CHOICES: Readonly<Record<string, Partial<DiaTarget>>> = {
  separate: { packedProjections: false, nativeGate: false, nativeLoop: false },
  loop: { nativeLoop: false },
};
const choices = CHOICES[process.env.VOICE_CHOICES ?? ""] ?? {};

/** Generates `batch` dialogues of `rows` frames side by side. */
async function dialogues(model: DiaModel, batch: number, rows: number) {
  let first = 0;
  const started = now();
  const requests = Array.from({ length: batch }, (_, seed) => ({ text, lastRow: rows, seed, sampling }));
  const made = await generate(model, requests, {
    firstRun: device === "cuda" ? 32 : 8,
    onRows: (n) => {
      if (first === 0 && n >= 86) first = now() - started;
    },
  });
  const frames = made.reduce((sum, { rows: r }) => sum + r.length, 0);
  return {
    frames,
    framesPerSecond: Math.round((frames / (now() - started)) * 10000) / 10,
    firstSecondMs: Math.round(first),
  };
}

/** @param cold what the first dialogue of a process takes is said too */
async function timeDialogues(batch: number, cold: boolean): Promise<void> {
  const watch = watchMemory();
  const started = now();
  const model = await loadDiaModel(join(folder, "dia"), { cacheDir, device, choices });
  say({ section: "voice load", seconds: (now() - started) / 1000, memoryMiB: memoryUsed() });
  if (cold) say({ section: "voice, first dialogue", batch, ...(await dialogues(model, batch, length)) });
  else await dialogues(model, batch, 100);
  const figures = await dialogues(model, batch, length);
  say({
    section: "voice",
    choices,
    loop: model.nativeLoop ? "own" : "stock",
    batch,
    ...figures,
    generate: reference.generateFramesPerSecond,
    timesGenerate: figures.framesPerSecond / reference.generateFramesPerSecond,
    peakMiB: await watch.peak(),
  });
  await model.release();
}

const codecReference = async (): Promise<CodecReference> => ({
  ...{ folder, device, cacheDir, codes: reference.codes, encoded: reference.encoded },
  audio: await raw("audio"),
  wave: await raw("wave"),
  transformersSeconds: reference.dacSeconds,
});

/** For DIA_TIMES=1: a few hundred frames of one dialogue and of several, with what each kind of kernel took. */
async function times(): Promise<void> {
  const model = await loadDiaModel(join(folder, "dia"), { cacheDir, device, choices });
  for (const batch of [1, 4, 8])
    say({ section: "voice times", batch, ...(await dialogues(model, batch, 300)) });
  await model.release();
}

/** Dialogues of several lengths made together and each alone, without and with a voice prompt: equal tokens, row by row. */
async function company(): Promise<void> {
  const model = await loadDiaModel(join(folder, "dia"), { cacheDir, device, choices });
  const codes: number[][] = reference.codes;
  const voice = Array.from({ length: 60 }, (_, t) => codes.map((channel) => channel[t] ?? 0));
  for (const prompt of [undefined, voice]) {
    const lastRow = length / 4 + (prompt?.length ?? 0);
    const requests = [1, 0.5, 0.8, 0.3].map((share, seed) => ({
      text: text.slice(0, Math.round(text.length * share)),
      ...(prompt ? { prompt } : {}),
      lastRow,
      seed,
      sampling,
    }));
    const together = await generate(model, requests);
    const different: number[] = [];
    for (const [b, request] of requests.entries()) {
      const [alone] = await generate(model, [request]);
      if (String(alone?.rows) !== String(together[b]?.rows)) different.push(b);
    }
    const figures = { dialogues: requests.length, promptFrames: prompt?.length ?? 0, different };
    say({ section: "voice company", loop: model.nativeLoop ? "own" : "stock", ...figures });
  }
  await model.release();
}

const sections: Readonly<Record<string, () => Promise<void>>> = {
  speed: () => timeDialogues(1, true),
  batch: () => timeDialogues(device === "cuda" ? 8 : 2, false),
  codec: async () => codec(await codecReference()),
  "first-second": () => firstSecond(folder, cacheDir, device),
  "codec-variants": async () => codecVariants(await codecReference()),
  "codec-profile": async () => codecProfile(await codecReference()),
  parity,
  tokens,
  times,
  company,
};
const asked = process.argv.slice(4);
for (const name of asked.length > 0
  ? asked
  : ["speed", "batch", "codec", "first-second", "parity", "tokens"]) {
  const run = sections[name];
  if (!run) throw new Error(`no section "${name}"; there are ${Object.keys(sections).join(", ")}`);
  await run();
}
