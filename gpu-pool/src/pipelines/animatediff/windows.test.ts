import { expect, test } from "bun:test";
import fc from "fast-check";
import { Mt19937 } from "../../random/index.ts";
import { freeNoise } from "./free-noise.ts";
import { guide, isGuided, standardDeviation } from "./guidance.ts";
import { regionMasks } from "./regional.ts";
import { contextWindows, orderedHalving, pyramidWeights } from "./windows.ts";

test("static windows of AnimateDiff-Evolved", () => {
  const plan = { frames: 48, window: 16, overlap: 4, schedule: "static", loop: false } as const;
  expect(contextWindows(plan, 3).map((window) => window[0])).toEqual([0, 12, 24, 32]);
  expect(contextWindows({ ...plan, frames: 16 }, 0)).toEqual([Array.from({ length: 16 }, (_, i) => i)]);
});

test("every frame is in a window at every step, whatever the plan", () => {
  const plans = fc.record({
    frames: fc.integer({ min: 1, max: 100 }),
    window: fc.integer({ min: 1, max: 32 }),
    overlap: fc.integer({ min: 0, max: 31 }),
    schedule: fc.constantFrom("static", "uniform"),
    loop: fc.boolean(),
  });
  fc.assert(
    fc.property(plans, fc.nat(100), (plan, step) => {
      const windows = contextWindows(plan, step);
      const covered = new Set(windows.flat());
      expect(covered.size).toBe(plan.frames);
      for (const window of windows) {
        expect(window.length).toBe(Math.min(plan.window, plan.frames));
        if (!plan.loop) expect(window).toEqual(window.map((_, i) => (window[0] ?? 0) + i));
      }
    }),
  );
});

test("ordered halving and pyramid weights", () => {
  expect([0, 1, 2, 3, 4].map(orderedHalving)).toEqual([0, 0.5, 0.25, 0.75, 0.125]);
  expect(pyramidWeights(6)).toEqual([1, 2, 3, 3, 2, 1]);
});

test("FreeNoise repeats the first window's frames in another order", () => {
  const shape = { channels: 1, frames: 12, height: 1, width: 1 };
  const noise = Float32Array.from({ length: 12 }, (_, i) => i);
  const mixed = Array.from(freeNoise(noise, shape, 4, 2, new Mt19937(1)));
  expect(mixed.slice(0, 4)).toEqual([0, 1, 2, 3]);
  for (const start of [4, 8]) expect(mixed.slice(start, start + 4).sort()).toEqual([0, 1, 2, 3]);
});

test("guidance and its rescaling", () => {
  const uncond = Float32Array.of(0, 1, 2, 3);
  const cond = Float32Array.of(1, 1, 4, 2);
  expect([...guide(uncond, cond, 2, 0)]).toEqual([2, 1, 6, 1]);
  expect(standardDeviation(guide(uncond, cond, 2, 1))).toBeCloseTo(standardDeviation(cond), 6);
  expect(isGuided(0, 20, 1, "full")).toBe(false);
  expect([0, 5, 19].map((step) => isGuided(step, 20, 5, "fast"))).toEqual([false, true, false]);
});

test("region masks add up to one and give each side to one character", () => {
  for (const [width, count] of [
    [16, 2],
    [128, 3],
    [4, 1],
  ] as const) {
    const masks = regionMasks(width, count);
    for (let x = 0; x < width; x++)
      expect(masks.reduce((sum, mask) => sum + (mask[x] ?? Number.NaN), 0)).toBeCloseTo(1, 12);
    expect(masks[0]?.[0]).toBe(1);
    expect(masks.at(-1)?.at(-1)).toBe(1);
  }
});
