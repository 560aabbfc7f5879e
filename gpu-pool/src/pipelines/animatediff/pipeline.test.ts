import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { loadPack } from "../../packs/index.ts";
import {
  type AnimateDiffPipeline,
  ClipCanceled,
  type ClipPreview,
  type ClipSettings,
  loadAnimateDiff,
} from "./index.ts";
import { writeTinyPack } from "./testing/tiny-pack.ts";

// Sessions are slow to make on a machine that is busy with other tests.
setDefaultTimeout(60_000);

let folder: string;
let pipeline: AnimateDiffPipeline;
beforeAll(async () => {
  folder = await writeTinyPack();
  const pack = await loadPack(folder);
  pipeline = await loadAnimateDiff(pack, { cacheDir: join(folder, "cache"), device: "cpu", threads: 1 });
});
afterAll(async () => {
  await pipeline.close();
  await rm(folder, { recursive: true, force: true });
});

const clip: ClipSettings = { prompt: "temo and felfel on the moon", seed: 9, num_inference_steps: 6 };
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

describe("a clip", () => {
  test("takes its defaults from the pack, and the same seed gives the same bytes", async () => {
    const one = await pipeline.generate(clip);
    const two = await pipeline.generate(clip);
    const other = await pipeline.generate({ ...clip, seed: 10 });
    expect(one).toMatchObject({
      count: 8,
      width: 16,
      height: 16,
      fps: 8,
      seed: 9,
      scheduler: "toon",
      steps: 6,
      warnings: [],
    });
    expect(one.characters).toEqual([
      { name: "temo", weight: 0.5 },
      { name: "felfel", weight: 0.5 },
    ]);
    expect(one.frames.length).toBe(8 * 16 * 16 * 3);
    expect(one.timings.map(({ stage }) => stage)).toEqual(["encode", "prepare", "lora", "denoise", "decode"]);
    expect(same(one.frames, two.frames)).toBe(true);
    expect(same(one.frames, other.frames)).toBe(false);
  });

  test("what the pack cannot do is changed and said", async () => {
    const result = await pipeline.generate({
      ...clip,
      width: 1024,
      height: 1024,
      num_frames: 999,
      num_inference_steps: 1,
    });
    expect(result.warnings.map(({ field, used }) => `${field} ${used}`)).toEqual([
      "width,height 16x16",
      "num_frames 64",
    ]);
  });

  test("a chosen character that the prompt does not name is put before it", async () => {
    const characters = [{ name: "felfel", weight: 1 }];
    const result = await pipeline.generate({
      ...clip,
      prompt: "in the rain",
      characters,
      num_inference_steps: 1,
    });
    expect(result.warnings).toMatchObject([{ field: "prompt", used: "felfel in the rain" }]);
    await expect(pipeline.generate({ ...clip, characters: [{ name: "zed", weight: 1 }] })).rejects.toThrow(
      'characters: "zed" is not a character of this pack (temo, felfel)',
    );
  });

  test("an empty negative prompt is encoded, one left out is zeros", async () => {
    const without = await pipeline.generate(clip);
    const empty = await pipeline.generate({ ...clip, negative_prompt: "" });
    expect(same(without.frames, empty.frames)).toBe(false);
  });

  test("hostile prompts draw something", async () => {
    for (const prompt of ["(".repeat(500), "<|endoftext|>", "\u0000\ud800x", "word ".repeat(400)]) {
      const result = await pipeline.generate({
        prompt,
        negative_prompt: prompt,
        seed: 1,
        num_inference_steps: 1,
      });
      expect(result.count).toBe(8);
    }
  });
});

describe("while it is sampled", () => {
  test("steps, previews and finished chunks are reported in order", async () => {
    const steps: number[] = [];
    const previews: ClipPreview[] = [];
    const chunks: number[] = [];
    const result = await pipeline.generate(clip, {
      onStep: ({ step }) => void steps.push(step),
      onPreview: (preview) => void previews.push(preview),
      previewEverySeconds: 0,
      onFrames: ({ count, data }, first) => {
        expect(data.length).toBe(count * 16 * 16 * 3);
        chunks.push(first);
      },
    });
    expect(steps).toEqual([1, 2, 3, 4, 5, 6]);
    expect(previews.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
    expect(previews[0]).toMatchObject({ count: 4, width: 16, height: 16, fps: 4 });
    expect(chunks).toEqual([0, 4]);
    expect(same(result.frames, (await pipeline.generate(clip)).frames)).toBe(true);
  });

  test("a timer that fires between steps can cancel it at the next step", async () => {
    const controller = new AbortController();
    let done = 0;
    const run = pipeline.generate(clip, {
      signal: controller.signal,
      onStep: ({ step }) => {
        done = step;
        if (step === 2) setTimeout(() => controller.abort(), 0);
      },
    });
    const error = await run.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ClipCanceled);
    expect(error).toMatchObject({ stepsTotal: 6 });
    expect(done).toBeLessThanOrEqual(3);
  });
});

describe("checkpoints", () => {
  for (const scheduler of ["toon", "dpmpp-2m", "lcm"] as const)
    test(`${scheduler} goes on bit-identically`, async () => {
      const states = new Map<number, Uint8Array>();
      const settings = { ...clip, scheduler };
      const save = (state: Uint8Array, step: number) => void states.set(step, state);
      const whole = await pipeline.generate(settings, { checkpoint: { everySteps: 2, save } });
      expect([...states.keys()]).toEqual([2, 4]);
      const steps: number[] = [];
      const resumed = await pipeline.generate(settings, {
        onStep: ({ step }) => void steps.push(step),
        checkpoint: { everySteps: 0, resume: states.get(4) },
      });
      expect(steps).toEqual([5, 6]);
      expect(same(whole.frames, resumed.frames)).toBe(true);
    });

  test("fast: no state between two steps that were predicted together; the others go on bit-identically", async () => {
    const states = new Map<number, Uint8Array>();
    const settings = { ...clip, scheduler: "dpmpp-2m", quality: "fast" } as const;
    const save = (state: Uint8Array, step: number) => void states.set(step, state);
    const whole = await pipeline.generate(settings, { checkpoint: { everySteps: 1, save } });
    expect([...states.keys()]).toEqual([1, 2, 4]);
    for (const state of states.values()) {
      const resumed = await pipeline.generate(settings, { checkpoint: { everySteps: 0, resume: state } });
      expect(same(whole.frames, resumed.frames)).toBe(true);
    }
  });

  test("a damaged one, or one of another clip, is told and not used", async () => {
    let state = new Uint8Array(0);
    const save = (bytes: Uint8Array) => {
      state = Uint8Array.from(bytes);
    };
    const whole = await pipeline.generate(clip, { checkpoint: { everySteps: 4, save } });
    for (const resume of [state.slice(0, 100), state.slice(0, -4), new Uint8Array(3)]) {
      const again = await pipeline.generate(clip, { checkpoint: { everySteps: 0, resume } });
      expect(again.warnings[0]).toMatchObject({ field: "checkpoint", used: "a new start" });
      expect(same(whole.frames, again.frames)).toBe(true);
    }
    const other = await pipeline.generate(
      { ...clip, seed: 4 },
      { checkpoint: { everySteps: 0, resume: state } },
    );
    expect(other.warnings[0]?.rule).toBe("the checkpoint belongs to other settings");
  });
});

describe("options", () => {
  test("clips longer than a window, static, uniform and looping", async () => {
    const long = { ...clip, num_frames: 19, num_inference_steps: 3 };
    const runs = [
      await pipeline.generate(long),
      await pipeline.generate({ ...long, context: { window: 8, overlap: 4, schedule: "uniform" } }),
      await pipeline.generate({ ...long, loop: true }),
      await pipeline.generate(long, { freeNoise: false }),
    ];
    for (const [i, run] of runs.entries()) {
      expect(run.count).toBe(19);
      for (const other of runs.slice(i + 1)) expect(same(run.frames, other.frames)).toBe(false);
    }
  });

  test("fast leaves guidance out of some steps; guidance 1 leaves it out of all", async () => {
    const full = await pipeline.generate(clip);
    const fast = await pipeline.generate({ ...clip, quality: "fast" });
    expect(same(full.frames, fast.frames)).toBe(false);
    const unguided = await pipeline.generate({ ...clip, guidance_scale: 1 });
    const negative = await pipeline.generate({ ...clip, guidance_scale: 1, negative_prompt: "rain" });
    expect(same(unguided.frames, negative.frames)).toBe(true);
  });

  test("a focus of 1 changes nothing, one of 0 takes the characters away", async () => {
    const even = await pipeline.generate(clip, { focus: () => ({ temo: 1, felfel: 1 }) });
    expect(same(even.frames, (await pipeline.generate(clip)).frames)).toBe(true);
    const none = await pipeline.generate(clip, { focus: () => ({ temo: 0, felfel: 0 }) });
    expect(same(none.frames, even.frames)).toBe(false);
  });

  test("a focus that changes inside one window moves every frame by itself", async () => {
    const once = { ...clip, num_frames: 8, num_inference_steps: 1 };
    const temo = { temo: 1.6, felfel: 0.4 };
    const felfel = { temo: 0.4, felfel: 1.6 };
    const first = await pipeline.generate(once, { focus: () => temo });
    const second = await pipeline.generate(once, { focus: () => felfel });
    const turn = await pipeline.generate(once, { focus: (frame) => (frame < 4 ? temo : felfel) });
    const half = turn.frames.length / 2;
    expect(same(first.frames, second.frames)).toBe(false);
    expect(same(turn.frames.subarray(0, half), first.frames.subarray(0, half))).toBe(true);
    expect(same(turn.frames.subarray(half), second.frames.subarray(half))).toBe(true);
  });

  test("prompt travel: the same prompt at every key frame changes nothing, another one does", async () => {
    const plain = await pipeline.generate(clip);
    const travel = (prompt: string) =>
      pipeline.generate({
        ...clip,
        prompt_travel: [
          { frame: 3, prompt: clip.prompt },
          { frame: 7, prompt },
        ],
      });
    const still = await travel(clip.prompt);
    const largest = Math.max(...still.frames.map((value, i) => Math.abs(value - (plain.frames[i] ?? 0))));
    expect(largest).toBeLessThanOrEqual(1);
    expect(same((await travel("temo and felfel in the rain")).frames, still.frames)).toBe(false);
  });

  test("regional blending gives every character a side of its own", async () => {
    const equal = await pipeline.generate(clip);
    const regional = await pipeline.generate({ ...clip, blend: "regional" });
    expect(same(equal.frames, regional.frames)).toBe(false);
    const alone = { ...clip, characters: [{ name: "temo", weight: 1 }], prompt: "temo" };
    const one = await pipeline.generate({ ...alone, blend: "regional" });
    expect(same(one.frames, (await pipeline.generate(alone)).frames)).toBe(true);
  });

  test("FreeInit counts its passes as steps and goes on from a checkpoint in a later pass", async () => {
    let state = new Uint8Array(0);
    const save = (bytes: Uint8Array) => {
      state = Uint8Array.from(bytes);
    };
    const short = { ...clip, num_inference_steps: 3 };
    const whole = await pipeline.generate(short, {
      freeInitIterations: 2,
      checkpoint: { everySteps: 5, save },
    });
    expect(whole.steps).toBe(6);
    const steps: number[] = [];
    const resumed = await pipeline.generate(short, {
      freeInitIterations: 2,
      onStep: ({ step }) => void steps.push(step),
      checkpoint: { everySteps: 0, resume: state },
    });
    expect(steps).toEqual([6]);
    expect(same(whole.frames, resumed.frames)).toBe(true);
  });

  test("a first image is kept the more, the lower the strength", async () => {
    const data = new Uint8Array(16 * 16 * 3).map((_, i) => (i * 7) % 256);
    const image = { data, count: 1, width: 16, height: 16 };
    const light = await pipeline.generate(clip, { firstImage: { image, strength: 0.2 } });
    const strong = await pipeline.generate(clip, { firstImage: { image, strength: 1 } });
    expect(same(light.frames, strong.frames)).toBe(false);
    // Of another shape: the same picture with stripes at its sides, which are cut off.
    const wide = { data: new Uint8Array(24 * 16 * 3), count: 1, width: 24, height: 16 };
    for (let y = 0; y < 16; y++) wide.data.set(data.subarray(y * 48, (y + 1) * 48), (y * 24 + 4) * 3);
    const cut = await pipeline.generate(clip, { firstImage: { image: wide, strength: 0.2 } });
    expect(same(light.frames, cut.frames)).toBe(true);
    await expect(pipeline.generate(clip, { firstImage: { image, strength: 0 } })).rejects.toThrow(/strength/);
  });
});
