import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { maxError } from "../../../test-fixtures/voice/formula-weights.ts";
import { integratedLoudness, truePeak } from "../../speech/loudness.ts";
import { decodeCodes } from "./codec.ts";
import { undelay } from "./delay-pattern.ts";
import { type EarlyPart, EarlySound } from "./early-sound.ts";
import { type DacModel, type DiaModel, loadDacModel, loadDiaModel } from "./model.ts";
import { writeTinyVoice } from "./testing/tiny-voice.ts";

let dir: string;
let dia: DiaModel;
let dac: DacModel;
const RATE = 8000;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "cartoon-early-"));
  await writeTinyVoice(dir, RATE);
  const options = { cacheDir: join(dir, "graphs"), device: "cpu", threads: 1 } as const;
  dia = await loadDiaModel(join(dir, "dia"), options);
  dac = await loadDacModel(join(dir, "dac"), options);
});
afterAll(async () => {
  await dia.release();
  await dac.release();
  await rm(dir, { recursive: true, force: true });
});

/** Rows of tokens, 250 a second. */
function speech(count: number): number[][] {
  return Array.from({ length: count }, (_, t) =>
    dia.config.delays.map((_, c) => (t * 31 + c * 17 + ((t * t) % 7) + Math.floor(t / 50)) % 32),
  );
}

async function listen(rows: number[][], step: number) {
  const parts: (EarlyPart & { rows: number })[] = [];
  let told = 0;
  const early = new EarlySound({ dia, dac, signal: undefined }, async (part) => {
    parts.push({ ...part, rows: told });
  });
  for (told = step; told < rows.length + step; told += step) await early.rows(rows.slice(0, told));
  return { early, parts };
}

/** The factor between two sounds, and how far they are from being the same but for it. */
function sameButForGain(a: Float32Array, b: Float32Array) {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * (y[i] ?? 0), 0);
  const gain = dot(a, b) / dot(b, b);
  return {
    gain,
    error: maxError(
      a,
      b.map((x) => x * gain),
    ),
  };
}

test("the first second goes out when its frames are there, then parts that grow: the samples of the finished chunk", async () => {
  const rows = speech(1200);
  const { parts, early } = await listen(rows, 40);
  const { maxDelay } = dia.config;
  expect(parts.length).toBe(2);
  const [first, second] = parts;
  expect(first?.rows).toBeLessThan(250 + maxDelay + 30 + 40);
  expect(first?.start).toBe(0);
  expect(second?.start).toBeCloseTo((first?.samples.length ?? 0) / RATE, 9);
  expect(second?.samples.length).toBeGreaterThanOrEqual(2 * RATE);

  const whole = await decodeCodes(dac, undelay(dia.config, rows, 0, rows.length - maxDelay));
  const heard = parts.flatMap(({ samples }) => [...samples]);
  const end = Math.round(early.seconds * RATE);
  const finished = whole.slice(end - heard.length, end);
  const fade = 100;
  const { gain, error } = sameButForGain(Float32Array.from(heard.slice(fade)), finished.subarray(fade));
  expect(error).toBeLessThan(1e-3);
  expect(gain).toBeGreaterThan(0);
  const sound = first?.samples ?? new Float32Array(0);
  expect(Math.abs(integratedLoudness(sound, RATE) + 16)).toBeLessThan(1);
  expect(20 * Math.log10(truePeak(Float32Array.from(heard)))).toBeLessThan(-1);
});

test("nothing goes out of a chunk that ends within a second, nor of what follows the end", async () => {
  const rows = speech(700);
  const { eos } = dia.config.tokens;
  const ending = (at: number) => rows.map((row, t) => (t === at ? [eos, ...row.slice(1)] : row));
  expect((await listen(ending(200), 50)).parts).toEqual([]);
  const { parts } = await listen(ending(400), 50);
  expect(parts.length).toBe(1);
  expect(parts[0]?.samples.length).toBeLessThan(400 * dac.config.hop);
});

test("the rest begins at the level at which the early part ended and goes on at its own", async () => {
  const rows = speech(700);
  const { early } = await listen(rows, 50);
  const whole = await decodeCodes(dac, undelay(dia.config, rows, 0, rows.length - dia.config.maxDelay));
  const at = Math.round(early.seconds * RATE);
  const quieter = whole.map((x) => x * 0.1);
  const rest = early.rest(quieter, at);
  expect(rest.length).toBe(whole.length - at);
  const level = (samples: Float32Array) =>
    Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
  const raised = level(rest.subarray(0, 80)) / level(quieter.subarray(at, at + 80));
  expect(raised).toBeGreaterThan(1.5);
  expect(rest.slice(RATE / 2)).toEqual(quieter.slice(at + RATE / 2));
});
