import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import golden from "../../../test-fixtures/voice/dac-even.json";
import {
  type FixtureDtype,
  maxError,
  writeFormulaWeights,
} from "../../../test-fixtures/voice/formula-weights.ts";
import { Mt19937 } from "../../random/index.ts";
import { decodeCodes, decodeFrames, encodeSamples } from "./codec.ts";
import { type DacModel, loadDacModel } from "./model.ts";

let folder: string;
let whole: DacModel;
let pieces: DacModel;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-codec-"));
  await writeFile(join(folder, "config.json"), JSON.stringify(golden.config));
  const file = join(folder, "model.safetensors");
  await writeFormulaWeights(file, golden.shapes, golden.gain, golden.dtype as FixtureDtype);
  const options = { cacheDir: join(folder, "graphs"), device: "cpu", threads: 1 } as const;
  whole = await loadDacModel(folder, { ...options, dac: { pieceFrames: 1000 } });
  pieces = await loadDacModel(folder, { ...options, dac: { pieceFrames: 32, encodedFrames: 32 } });
});
afterAll(async () => {
  await whole.release();
  await pieces.release();
  await rm(folder, { recursive: true, force: true });
});

const FRAMES = 150;

test("sound encoded in pieces has the codes of the whole", async () => {
  const { hop } = whole.config;
  const noise = new Mt19937(5).randn(FRAMES * hop - 7);
  const samples = noise.map((x, i) => 0.05 * x + 0.3 * Math.sin(i * 0.02 + Math.sin(i * 0.0007)));
  const codes = await encodeSamples(whole, samples);
  expect(codes).toHaveLength(FRAMES);
  expect(new Set(codes.flat()).size).toBeGreaterThan(5);
  expect(await encodeSamples(pieces, samples)).toEqual([...codes]);
});

test("codes decoded in pieces, or a stretch of them, have the sound of the whole", async () => {
  const { codebooks, codebookSize, hop } = whole.config;
  const codes = Array.from({ length: codebooks }, (_, c) =>
    Array.from({ length: FRAMES }, (_, t) => (t * 31 + c * 17 + ((t * t) % 7)) % codebookSize),
  );
  const sound = await decodeCodes(whole, codes);
  expect(sound.length).toBe(FRAMES * hop);
  expect(maxError(await decodeCodes(pieces, codes), sound)).toBeLessThan(1e-5);
  const stretch = await decodeFrames(pieces, codes, { from: 41, to: 90 });
  expect(maxError(stretch, sound.subarray(41 * hop, 90 * hop))).toBeLessThan(1e-5);
});
