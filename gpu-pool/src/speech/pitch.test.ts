import { expect, test } from "bun:test";
import { uniform } from "../../test-fixtures/voice/formula-weights.ts";
import { isOtherVoice, medianPitch } from "./pitch.ts";

/** A buzz with harmonics, as of a voice. */
const buzz = (hertz: number, sampleRate: number, seconds = 0.6) =>
  Float32Array.from({ length: Math.round(seconds * sampleRate) }, (_, i) =>
    [1, 2, 3, 4, 5].reduce(
      (sum, k) => sum + (0.2 / k) * Math.sin((2 * Math.PI * k * hertz * i) / sampleRate + k),
      0,
    ),
  );

for (const sampleRate of [8000, 16_000, 44_100]) {
  test(`pitch of a voice at ${sampleRate} Hz`, () => {
    for (const hertz of [85, 108, 180, 240]) {
      const heard = medianPitch(buzz(hertz, sampleRate), sampleRate);
      expect(Math.abs(heard / hertz - 1)).toBeLessThan(0.04);
    }
  });
}

test("noise, silence and a moment have none", () => {
  const noise = uniform("noise", 8000).map((u) => u - 0.5);
  for (const samples of [noise, new Float32Array(8000), buzz(120, 8000, 0.05), new Float32Array(0)])
    expect(medianPitch(samples, 8000)).toBeNaN();
});

test("a line in the other voice is told; what cannot be told is let pass", () => {
  const pitch = { 1: 180, 2: 108 };
  expect(isOtherVoice(buzz(112, 16_000), 16_000, 1, pitch)).toBe(true);
  expect(isOtherVoice(buzz(112, 16_000), 16_000, 2, pitch)).toBe(false);
  expect(isOtherVoice(buzz(165, 16_000), 16_000, 1, pitch)).toBe(false);
  expect(isOtherVoice(new Float32Array(16_000), 16_000, 1, pitch)).toBe(false);
});
