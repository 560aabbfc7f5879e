import { expect, test } from "bun:test";
import { declip } from "./declip.ts";

const RATE = 16_000;
const tone = (level: number) =>
  Float32Array.from({ length: 4000 }, (_, i) => level * Math.sin((2 * Math.PI * 220 * i) / RATE));
const cut = (samples: Float32Array) => samples.map((x) => Math.max(-1, Math.min(1, x)));
const error = (a: Float32Array, b: Float32Array) => Math.hypot(...a.map((x, i) => x - (b[i] ?? 0)));

test("sound within full scale stays as it is, bit for bit", () => {
  const clean = tone(0.98);
  expect(declip(clean)).toEqual({ samples: clean, clipped: 0 });
  expect(declip(new Float32Array(0)).clipped).toBe(0);
});

test("clipped tops are rounded off, near to what they were", () => {
  const whole = tone(1.3);
  const clipped = cut(whole);
  const repaired = declip(clipped);
  expect(repaired.clipped).toBeWithin(0.3, 0.5);
  expect(error(repaired.samples, whole)).toBeLessThan(0.35 * error(clipped, whole));
  // What was not cut off has not changed.
  for (const [i, x] of clipped.entries()) if (Math.abs(x) < 0.98) expect(repaired.samples[i]).toBe(x);
});
