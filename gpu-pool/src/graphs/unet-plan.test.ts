import { expect, test } from "bun:test";
import type { TensorEntry } from "../weights/safetensors.ts";
import { WeightSet } from "../weights/weight-set.ts";
import { largestTensor, MAX_CUDA_ELEMENTS } from "./builder/index.ts";
import { motionAdapterConfig, type UnetMotionShape, unetConfig, unetMotionShape } from "./config/unet.ts";
import { cudaTarget } from "./target/cuda.ts";
import { SDXL_MOTION_ADAPTER, SDXL_UNET } from "./testing/sdxl.ts";
import { readFixture, type TensorShapes } from "./testing/seeded.ts";
import { unetTensors } from "./testing/unet-tensors.ts";
import { buildUnetMotion } from "./unet-motion.ts";
import { planUnet } from "./unet-plan.ts";

/** A float16 weight file that is only looked at, never read. */
function headerOnly(tensors: TensorShapes): WeightSet {
  const entries = new Map<string, TensorEntry>();
  let offset = 0;
  for (const [key, shape] of Object.entries(tensors)) {
    const byteLength = 2 * shape.reduce((a, b) => a * b, 1);
    entries.set(key, { key, dtype: "F16", shape, file: "unet.safetensors", offset, byteLength });
    offset += byteLength;
  }
  return new WeightSet(entries);
}

interface Fixture {
  readonly unet: { readonly use_linear_projection?: boolean };
  readonly adapter: unknown;
  readonly tensors: { readonly unet: TensorShapes; readonly adapter: TensorShapes };
}

test.each(["unet-sdxl", "unet-sd15", "unet-uneven"])(
  "%s: weight names and shapes are known",
  async (name) => {
    const { unet, adapter, tensors } = await readFixture<Fixture>(name);
    const shape = unetMotionShape(unetConfig.parse(unet), motionAdapterConfig.parse(adapter));
    expect<unknown>(unetTensors(shape, unet.use_linear_projection ?? false)).toEqual(tensors);
  },
);

const sdxl: UnetMotionShape = unetMotionShape(SDXL_UNET, SDXL_MOTION_ADAPTER);

test("SDXL with its motion adapter builds at full size", () => {
  const { unet, adapter } = unetTensors(sdxl, true);
  const weights = headerOnly({ ...unet, ...adapter });
  const size = { batch: 2, frames: 16, height: 128, width: 128 };
  const plan = planUnet(sdxl, size);
  expect(plan).toEqual({ temporalPacking: 4, feedForwardChunks: 1 });
  const sizes = { ...size, batch: "B", height: "H", width: "W", tokens: "S" };
  const model = buildUnetMotion({ shape: sdxl, weights, target: cudaTarget(plan), lora: true, sizes });
  const parameters = [...weights.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength / 2, 0);
  expect(Math.round(parameters / 1e6)).toBe(2804);
  expect(model.loraTargets).toHaveLength(722 + 15 * 12);
  expect(model.bytes.length).toBeLessThan(4e6);
  const largest = largestTensor(model, { B: 2, H: 128, W: 128, S: 77 });
  expect(largest.elements).toBe(2 * 16 * 128 * 128 * 8 * 320);
  expect(largest.elements).toBeLessThanOrEqual(MAX_CUDA_ELEMENTS);
});

test("clips whose tensors would overflow 32-bit indices are cut", () => {
  const long = { batch: 2, frames: 32, height: 128, width: 128 };
  expect(planUnet(sdxl, long)).toEqual({ temporalPacking: 2, feedForwardChunks: 2 });
  expect(planUnet(sdxl, { batch: 1, frames: 16, height: 100, width: 100 }, 4)).toEqual({
    temporalPacking: 1,
    feedForwardChunks: 5,
  });
  const { unet, adapter } = unetTensors(sdxl, true);
  const weights = headerOnly({ ...unet, ...adapter });
  const fixed = { ...long, tokens: 77 };
  const build = (chunks: number) =>
    buildUnetMotion({
      shape: sdxl,
      weights,
      target: cudaTarget({ feedForwardChunks: chunks }),
      lora: false,
      sizes: fixed,
    });
  expect(largestTensor(build(1), {}).elements).toBeGreaterThan(MAX_CUDA_ELEMENTS);
  expect(largestTensor(build(2), {}).elements).toBeLessThanOrEqual(MAX_CUDA_ELEMENTS);
});
