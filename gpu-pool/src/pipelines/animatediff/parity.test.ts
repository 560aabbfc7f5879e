import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { loadPack } from "../../packs/index.ts";
import { loadAnimateDiff } from "./index.ts";
import { readFixture, writeScheduler, writeTinyPack } from "./testing/tiny-pack.ts";

interface GoldenCase {
  name: string;
  scheduler: object;
  adapters: Record<string, number>;
  prompt: string;
  negative_prompt: string | null;
  steps: number;
  guidance_scale: number;
  guidance_rescale: number;
  clip_skip: number;
  seed: number;
  free_init?: number;
  latents: number[];
  /** RGB of the first two frames. */
  frames: number[] | null;
}

// Sessions are slow to make on a machine that is busy with other tests.
setDefaultTimeout(60_000);

for (const [cases, family, reference, characters] of [
  ["sdxl", "sdxl", "AnimateDiffSDXLPipeline", ["temo", "felfel"]],
  ["sdxl-locon", "sdxl", "AnimateDiffSDXLPipeline with LoCon", ["locon"]],
  ["sd15", "sd15", "AnimateDiffPipeline", ["temo", "felfel"]],
] as const)
  describe(`whole runs equal ${reference} of diffusers`, async () => {
    let folder: string;
    beforeAll(async () => {
      folder = await writeTinyPack(family, [...characters]);
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    for (const golden of await readFixture<GoldenCase[]>(`${cases}-cases.json`)) {
      test(golden.name, async () => {
        await writeScheduler(folder, golden.scheduler);
        const pipeline = await loadAnimateDiff(await loadPack(folder), {
          cacheDir: join(folder, "cache"),
          device: "cpu",
          threads: 1,
        });
        let latents = new Float32Array(0);
        const result = await pipeline.generate(
          {
            prompt: golden.prompt,
            negative_prompt: golden.negative_prompt ?? undefined,
            characters: Object.entries(golden.adapters).map(([name, weight]) => ({ name, weight })),
            num_frames: 8,
            num_inference_steps: golden.steps,
            guidance_scale: golden.guidance_scale,
            guidance_rescale: golden.guidance_rescale,
            clip_skip: golden.clip_skip,
            seed: golden.seed,
          },
          {
            freeInitIterations: golden.free_init,
            onLatents: (final) => {
              latents = Float32Array.from(final);
            },
          },
        );
        await pipeline.close();
        expect(result.warnings).toEqual([]);
        expect(errorOverStd(latents, golden.latents)).toBeLessThan(1e-4);
        const first = golden.frames ?? [];
        const difference = first.map((value, i) => Math.abs(value - (result.frames[i] ?? Number.NaN)));
        expect(Math.max(0, ...difference)).toBeLessThanOrEqual(1);
      });
    }
  });

function errorOverStd(actual: Float32Array, expected: number[]): number {
  expect(actual.length).toBe(expected.length);
  const mean = expected.reduce((sum, value) => sum + value, 0) / expected.length;
  const variance = expected.reduce((sum, value) => sum + (value - mean) ** 2, 0) / expected.length;
  return (
    Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? Number.NaN)))) / Math.sqrt(variance)
  );
}
