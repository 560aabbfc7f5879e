import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { loadPack } from "../../packs/index.ts";
import { loadAnimateDiff } from "./index.ts";
import { isOutOfMemory, MemoryLadder } from "./memory.ts";
import { writeTinyPack } from "./testing/tiny-pack.ts";

setDefaultTimeout(60_000);

let folder: string;
beforeAll(async () => {
  folder = await writeTinyPack();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("the ladder: guidance in halves, smaller windows, then nothing", () => {
  const plan = { frames: 40, window: 32, overlap: 12, schedule: "static", loop: false } as const;
  const windows = { ...plan };
  const ladder = new MemoryLadder(windows, false, "64x64");
  expect(ladder.stepDown()?.field).toBe("memory");
  expect(ladder.halves).toBe(true);
  expect(ladder.stepDown()).toMatchObject({ given: "32", used: "16" });
  expect(ladder.stepDown()).toMatchObject({ given: "16", used: "8" });
  expect(windows).toMatchObject({ window: 8, overlap: 4 });
  expect(ladder.stepDown()).toBeUndefined();
});

test("what counts as running out of memory", () => {
  expect(
    isOutOfMemory(new Error("BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer")),
  ).toBe(true);
  expect(isOutOfMemory(new Error("CUDA failure 2: out of memory"))).toBe(true);
  // What a full card says to a session that is opened, after half a kilobyte of C++.
  const places = "; GPU=0 ; hostname=h ; file=cuda_execution_provider.cc ; line=242 ; expr=";
  const cublas = `CUBLAS failure 3: the resource allocation failed ${places}cublasCreate(&cublas_handle_);`;
  const cudnn = `CUDNN failure 4000: CUDNN_STATUS_INTERNAL_ERROR ${places}cudnnCreate(&cudnn_handle_);`;
  expect(isOutOfMemory(new Error(cublas))).toBe(true);
  expect(isOutOfMemory(new Error(cudnn))).toBe(true);
  expect(isOutOfMemory(new Error("CUDNN failure 4000: CUDNN_STATUS_INTERNAL_ERROR ; expr=run"))).toBe(false);
  expect(isOutOfMemory(new Error("input is missing"))).toBe(false);
});

test("the small mode draws the same clip", async () => {
  const clip = { prompt: "temo and felfel", negative_prompt: "", seed: 2, num_inference_steps: 4 };
  const draw = async (smallMemory: boolean) => {
    const options = { cacheDir: join(folder, "cache"), device: "cpu", threads: 1, smallMemory } as const;
    const pipeline = await loadAnimateDiff(await loadPack(folder), options);
    const result = await pipeline.generate(clip);
    await pipeline.close();
    return result.frames;
  };
  const small = await draw(true);
  const full = await draw(false);
  expect(Math.max(...small.map((value, i) => Math.abs(value - (full[i] ?? 0))))).toBeLessThanOrEqual(1);
});
