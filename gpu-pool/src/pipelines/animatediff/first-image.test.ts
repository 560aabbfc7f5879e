import { expect, test } from "bun:test";
import { coverWith } from "./first-image.ts";

const image = (width: number, height: number, value: (x: number, y: number) => number) => ({
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return value(pixel % width, Math.floor(pixel / width));
  }),
  ...{ count: 1, width, height },
});

test("an image fills the clip: its middle where the shape is another one, smooth where it is enlarged", () => {
  const plain = image(7, 5, () => 90);
  for (const [width, height] of [
    [16, 16],
    [3, 9],
    [7, 5],
    [2, 2],
  ] as const) {
    const fitted = coverWith(plain, width, height);
    expect(fitted.data).toHaveLength(width * height * 3);
    expect(new Set(fitted.data)).toEqual(new Set([90]));
  }
  const sides = image(12, 4, (x) => (x < 4 || x >= 8 ? 255 : 10));
  expect(new Set(coverWith(sides, 4, 4).data)).toEqual(new Set([10]));
  const ramp = coverWith(
    image(2, 2, (x) => x * 200),
    8,
    8,
  );
  const row = Array.from({ length: 8 }, (_, x) => ramp.data[x * 3] ?? 0);
  expect(row).toEqual(row.toSorted((a, b) => a - b));
  expect(row[0]).toBe(0);
  expect(row[7]).toBe(200);
  const small = coverWith(
    image(64, 64, (x) => (x % 2) * 255),
    8,
    8,
  );
  for (const value of small.data) expect(Math.abs(value - 127.5)).toBeLessThan(24);
});
