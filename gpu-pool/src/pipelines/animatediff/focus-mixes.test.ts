import { expect, test } from "bun:test";
import { blendMixes, focusMixes } from "./focus-mixes.ts";

/** What the blend of the passes stands for in a frame. */
const blended = (mixes: ReturnType<typeof focusMixes>, frame: number) =>
  mixes.reduce<number[]>(
    (sum, { weights, shares }) => weights.map((weight, i) => (sum[i] ?? 0) + weight * (shares[frame] ?? 0)),
    [],
  );

test("weights that stand still take one pass", () => {
  const mixes = focusMixes(Array.from({ length: 16 }, () => [0.5, 0.5]));
  expect(mixes.map(({ weights }) => weights)).toEqual([[0.5, 0.5]]);
  expect(mixes[0]?.shares).toEqual(new Array(16).fill(1));
  expect(focusMixes([[0.5, 0.5]])).toEqual([{ weights: [0.5, 0.5], shares: [1] }]);
});

test("one speaker after the other takes two passes, however often they take turns", () => {
  const temo = [0.8, 0.2];
  const felfel = [0.2, 0.8];
  const frames = [temo, temo, [0.65, 0.35], [0.5, 0.5], [0.35, 0.65], felfel, felfel, [0.5, 0.5], temo, temo];
  const mixes = focusMixes(frames);
  expect(mixes.map(({ weights }) => weights)).toEqual([temo, felfel]);
  for (const [frame, weights] of frames.entries()) {
    for (const [i, weight] of blended(mixes, frame).entries()) expect(weight).toBeCloseTo(weights[i] ?? 0, 6);
  }
});

test("a window that begins on the way to a speaker takes no pass for that", () => {
  const weights = (share: number) => [0.5 + 0.3 * share, 0.5 - 0.3 * share];
  const frames = [0.8, 1, 1, 0.6, -0.2, -1, -1, -0.5, 0, 0.7].map(weights);
  const mixes = focusMixes(frames);
  expect(mixes).toHaveLength(2);
  for (const [frame, own] of frames.entries()) {
    for (const [i, weight] of blended(mixes, frame).entries()) expect(weight).toBeCloseTo(own[i] ?? 0, 6);
  }
});

test("three speakers are blended frame by frame too", () => {
  const plain = [1 / 3, 1 / 3, 1 / 3];
  const [a, b, c] = [0, 1, 2].map((speaker) => plain.map((_, i) => (i === speaker ? 0.8 : 0.1)));
  const frames = [a, a, plain, b, b, plain, c, c].map((weights) => weights ?? plain);
  const mixes = focusMixes(frames);
  expect(mixes).toHaveLength(4);
  for (const [frame, weights] of frames.entries()) {
    for (const [i, weight] of blended(mixes, frame).entries()) expect(weight).toBeCloseTo(weights[i] ?? 0, 2);
    expect(mixes.reduce((sum, { shares }) => sum + (shares[frame] ?? 0), 0)).toBeCloseTo(1, 9);
  }
});

test("passes are added by the shares of their frames", () => {
  const mixes = [
    { weights: [1], shares: [1, 0.25] },
    { weights: [2], shares: [0, 0.75] },
  ];
  // One row, two channels, two frames of two pixels.
  const outputs = [new Float32Array(8).fill(4), new Float32Array(8).fill(8)];
  expect([...blendMixes(outputs, mixes, 2)]).toEqual([4, 4, 7, 7, 4, 4, 7, 7]);
});
