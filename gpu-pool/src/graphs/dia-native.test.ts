import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import prompted from "../../test-fixtures/voice/dia-prompted.json";
import single from "../../test-fixtures/voice/dia-single.json";
import { type FixtureDtype, writeFormulaWeights } from "../../test-fixtures/voice/formula-weights.ts";
import { openWeights } from "../weights/weight-set.ts";
import { DiaConfig } from "./dia-config.ts";
import { buildDiaDecoder } from "./dia-decoder.ts";
import { DIA_CPU, DIA_CUDA } from "./dia-layers.ts";
import { fitsNativeLoop, usesNativeLoop } from "./dia-native.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-dia-native-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("the own loop takes Dia-1.6B, and leaves models that its kernels do not know to the stock one", () => {
  const config = DiaConfig.parse({ model_type: "dia" });
  const target = { ...DIA_CUDA, nativeLoop: true };
  expect(usesNativeLoop(config, target)).toBe(true);
  expect(usesNativeLoop(config, DIA_CUDA)).toBe(false);
  expect(usesNativeLoop(config, { ...target, dtype: "float32" })).toBe(false);
  const gelu = DiaConfig.parse({ model_type: "dia", decoder_config: { hidden_act: "gelu" } });
  expect(fitsNativeLoop(gelu)).toBe(false);
  const threeHeads = DiaConfig.parse({
    model_type: "dia",
    decoder_config: { num_attention_heads: 12, num_key_value_heads: 4 },
  });
  expect(fitsNativeLoop(threeHeads)).toBe(false);
  expect(fitsNativeLoop(DiaConfig.parse(prompted.config))).toBe(false);
});

test("the decoder has one more input with the own loop, and the same outputs", async () => {
  const config = DiaConfig.parse(single.config);
  const path = join(folder, "single.safetensors");
  await writeFormulaWeights(path, single.shapes, single.gain, single.dtype as FixtureDtype);
  const weights = await openWeights([path]);
  const options = { alignmentHead: { layer: 0, head: 0 }, logits: true, reading: true };
  const target = { ...DIA_CPU, dtype: "float16" } as const;
  const stock = buildDiaDecoder(config, weights, target, options);
  const own = buildDiaDecoder(config, weights, { ...target, nativeLoop: true }, options);
  const names = (values: readonly { name: string }[]) => values.map(({ name }) => name).sort();
  expect(names(own.inputs)).toEqual([...names(stock.inputs), "cache"].sort());
  expect(names(own.outputs)).toEqual(names(stock.outputs));
});
