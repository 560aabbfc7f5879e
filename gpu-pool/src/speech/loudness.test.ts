import { expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uniform } from "../../test-fixtures/voice/formula-weights.ts";
import { findFfmpeg, toWav } from "../media/index.ts";
import { runFfmpeg } from "../media/run-ffmpeg.ts";
import { integratedLoudness, limit, normaliseLoudness, truePeak } from "./loudness.ts";

/** Syllables of a buzzing voice with pauses and a few loud knocks. */
function speechLike(sampleRate: number, seconds: number, level: number): Float32Array {
  const noise = uniform("speech-like", Math.round(seconds * sampleRate));
  return noise.map((u, i) => {
    const t = i / sampleRate;
    const syllable = Math.max(0, Math.sin(2 * Math.PI * 3.1 * t)) * (t % 4 < 3 ? 1 : 0.001);
    const knock = t % 1.7 < 0.004 ? 6 : 1;
    const voice = Math.sin(2 * Math.PI * 140 * t) + 0.6 * Math.sin(2 * Math.PI * 1900 * t) + 0.3 * (u - 0.5);
    return level * syllable * knock * voice;
  });
}

/** ffmpeg's own measurement. */
async function ebur128(samples: Float32Array, sampleRate: number) {
  const folder = await mkdtemp(join(tmpdir(), "cartoon-loudness-"));
  try {
    const wav = join(folder, "sound.wav");
    const report = join(folder, "report.txt");
    await writeFile(wav, toWav({ samples, sampleRate }));
    const ffmpeg = await findFfmpeg({ FFMPEG_PATH: process.env.FFMPEG_PATH, PATH: process.env.PATH });
    const filter = `ebur128=peak=true:metadata=1,ametadata=mode=print:file=${report}`;
    await runFfmpeg({ ffmpeg, args: ["-i", wav, "-af", filter, "-f", "null", "-"] });
    const text = await readFile(report, "utf8");
    const values = (key: string) =>
      [...text.matchAll(new RegExp(`${key}=(\\S+)`, "g"))].map((m) => Number(m[1]));
    const peaks = values("lavfi.r128.true_peaks?_ch0").filter(Number.isFinite);
    return { loudness: values("lavfi.r128.I").at(-1) ?? Number.NaN, peak: Math.max(...peaks) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

for (const sampleRate of [16_000, 44_100]) {
  for (const level of [0.01, 0.2, 0.7]) {
    test(`speech at ${sampleRate} Hz, level ${level}, ends up at -16 LUFS and under -1 dBTP by ffmpeg's ebur128`, async () => {
      const before = speechLike(sampleRate, 8, level);
      const after = normaliseLoudness(before, sampleRate);
      const measured = await ebur128(after, sampleRate);
      expect(Math.abs(measured.loudness - -16)).toBeLessThan(0.5);
      expect(20 * Math.log10(truePeak(after))).toBeLessThan(-1);
      // ffmpeg reports true peaks as amplitudes.
      if (Number.isFinite(measured.peak)) expect(20 * Math.log10(measured.peak)).toBeLessThan(-1);
      expect(Math.abs(integratedLoudness(after, sampleRate) - measured.loudness)).toBeLessThan(0.3);
    });
  }
}

test("a tone of 997 Hz at full scale is -3.01 LUFS, as BS.1770 says", () => {
  const sampleRate = 48_000;
  const tone = Float32Array.from({ length: 5 * sampleRate }, (_, i) =>
    Math.sin((2 * Math.PI * 997 * i) / sampleRate),
  );
  expect(integratedLoudness(tone, sampleRate)).toBeCloseTo(-3.01, 1);
});

test("a tone between the samples has its true peak found", () => {
  // A quarter of the rate, phase 45 degrees: samples reach 0.707 only.
  const tone = Float32Array.from({ length: 400 }, (_, i) => Math.sin((Math.PI * i) / 2 + Math.PI / 4));
  expect(truePeak(tone.subarray(50, 350))).toBeGreaterThan(0.97);
});

test("silence stays silence, short sounds work, the limiter holds its ceiling", () => {
  expect(normaliseLoudness(new Float32Array(1000), 16_000)).toEqual(new Float32Array(1000));
  expect(normaliseLoudness(new Float32Array(0), 16_000).length).toBe(0);
  const short = speechLike(16_000, 0.2, 0.1);
  expect(integratedLoudness(normaliseLoudness(short, 16_000), 16_000)).toBeGreaterThan(-18);
  const loud = speechLike(16_000, 1, 1);
  expect(truePeak(limit(loud, 16_000, 0.5))).toBeLessThanOrEqual(0.5 * 1.02);
});
