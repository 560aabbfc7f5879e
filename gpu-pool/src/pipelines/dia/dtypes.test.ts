import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import dac from "../../../test-fixtures/voice/dac-even.json";
import dia from "../../../test-fixtures/voice/dia-single.json";
import {
  type FixtureDtype,
  formulaWeight,
  maxError,
  uniform,
  writeTensors,
} from "../../../test-fixtures/voice/formula-weights.ts";
import { fromBfloat16Array, fromHalfArray, toHalfArray } from "../../weights/float16.ts";
import { decodeCodes, encodeSamples } from "./codec.ts";
import { generate } from "./generate.ts";
import { loadDacModel, loadDiaModel } from "./model.ts";

const bfloat16 = (values: Float32Array) => {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return fromBfloat16Array(Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16));
};
const round: Record<FixtureDtype, (values: Float32Array) => Float32Array> = {
  float32: (values) => values,
  float16: (values) => fromHalfArray(toHalfArray(values)),
  bfloat16,
};

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "cartoon-dtypes-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A model's folder with its weights rounded to one type and written in another that holds them exactly. */
async function folderOf(
  name: string,
  model: { config: object; shapes: Record<string, number[]>; gain: number },
  rounded: FixtureDtype,
  written: FixtureDtype,
): Promise<string> {
  const folder = join(root, `${name}-${rounded}-${written}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "config.json"), JSON.stringify(model.config));
  const tensors = Object.entries(model.shapes).map(([key, shape]) => [
    key,
    { shape, values: round[rounded](formulaWeight(key, shape, model.gain)) },
  ]);
  await writeTensors(join(folder, "model.safetensors"), Object.fromEntries(tensors), written);
  return folder;
}

const shapesOf = (shapes: object) => shapes as Record<string, number[]>;
const options = () => ({ cacheDir: join(root, "cache"), device: "cpu" as const, threads: 1 });

for (const dtype of ["float32", "float16", "bfloat16"] as const) {
  test(`Dia speaks the same from a ${dtype} file as from the same numbers in float32`, async () => {
    const model = { ...dia, shapes: shapesOf(dia.shapes) };
    const speak = async (folder: string) => {
      const loaded = await loadDiaModel(folder, options());
      const sampling = { guidanceScale: 2, temperature: 1, topP: 0.9, topK: 8 };
      const text = new TextEncoder().encode("\u0001 Go on, my friend.");
      const [made] = await generate(loaded, [{ text, lastRow: 60, seed: 5, sampling }]);
      await loaded.release();
      return made?.rows;
    };
    const rows = await speak(await folderOf("dia", model, dtype, dtype));
    expect(rows?.length).toBeGreaterThan(10);
    expect(rows).toEqual((await speak(await folderOf("dia", model, dtype, "float32"))) ?? []);
  });

  test(`DAC decodes and encodes the same from a ${dtype} file as from the same numbers in float32`, async () => {
    const model = { ...dac, shapes: shapesOf(dac.shapes) };
    const both = async (folder: string) => {
      const loaded = await loadDacModel(folder, options());
      const codes = Array.from({ length: loaded.config.codebooks }, (_, c) =>
        Array.from(uniform(`codes ${c}`, 20), (u) => Math.floor(u * loaded.config.codebookSize)),
      );
      const samples = await decodeCodes(loaded, codes);
      const sound = uniform("sound", 30 * loaded.config.hop).map((u) => u - 0.5);
      const encoded = await encodeSamples(loaded, sound);
      await loaded.release();
      return { samples, encoded };
    };
    const native = await both(await folderOf("dac", model, dtype, dtype));
    const wide = await both(await folderOf("dac", model, dtype, "float32"));
    expect(native.samples.length).toBeGreaterThan(100);
    expect(maxError(native.samples, wide.samples)).toBeLessThan(1e-6);
    expect(native.encoded).toEqual(wide.encoded);
  });
}
