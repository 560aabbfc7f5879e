import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromWebVtt, toWebVtt } from "./captions.ts";
import { findFfmpeg } from "./find-ffmpeg.ts";
import { fitClip } from "./fit.ts";
import { gifOf, joinedFrames, joinMp4, mixSounds, stillOf } from "./join.ts";
import { encodeMp4 } from "./mp4.ts";
import { runFfmpeg } from "./run-ffmpeg.ts";
import { fromWav, toWav } from "./wav.ts";

// The oldest version that has to work, and the one of this system.
const bundled: string = createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg").path;
const versions = [...new Set([bundled, await findFfmpeg({ PATH: process.env.PATH })])];

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon join "));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A clip of one grey. */
async function clip(
  name: string,
  level: number,
  count: number,
  fps: number,
  size = [64, 64],
): Promise<string> {
  const [width = 64, height = 64] = size;
  const data = new Uint8Array(count * width * height * 3).fill(level);
  const output = join(folder, name);
  await encodeMp4({
    ...{ ffmpeg: bundled, folder, output, width, height },
    frames: { data, count, width, height, fps },
    fit: fitClip(count, fps, undefined, "hold"),
    metadata: { title: name, comment: "{}" },
  });
  return output;
}

/** The grey in the middle of every frame, and in the corner of the first. */
async function greys(file: string, width: number, height: number) {
  const raw = join(folder, "grey.raw");
  const args = ["-i", file, "-vsync", "0", "-f", "rawvideo", "-pix_fmt", "rgb24", raw];
  await runFfmpeg({ ffmpeg: bundled, args });
  const bytes = await readFile(raw);
  const frame = width * height * 3;
  const middle = (Math.floor(height / 2) * width + Math.floor(width / 2)) * 3;
  return {
    middles: Array.from({ length: bytes.length / frame }, (_, i) => bytes[i * frame + middle] ?? -1),
    corner: bytes[0] ?? -1,
  };
}

const near = (values: number[], expected: number[]) => {
  expect(values).toHaveLength(expected.length);
  for (const [i, value] of values.entries()) expect(Math.abs(value - (expected[i] ?? 0))).toBeLessThan(5);
};

describe.each(versions)("joined with %s", (ffmpeg) => {
  test("cuts and cross-fades fall on their frames", async () => {
    const shots = [
      { file: await clip("a.mp4", 40, 8, 8), start: 0, frames: 8, overlap: 4 },
      { file: await clip("b.mp4", 200, 12, 8), start: 4, frames: 12, overlap: 0 },
      { file: await clip("c.mp4", 120, 6, 8), start: 16, frames: 6, overlap: 0 },
    ];
    expect(joinedFrames(shots)).toBe(22);
    const job = { ffmpeg, shots, width: 64, height: 64, fps: 8, folder };
    const metadata = { title: "three", comment: '{"shots":3}' };
    const output = join(folder, "joined.mp4");
    await joinMp4({ ...job, metadata, output });
    const { middles } = await greys(output, 64, 64);
    near(middles, [
      ...Array(4).fill(40),
      ...[40, 80, 120, 160],
      ...Array(8).fill(200),
      ...Array(6).fill(120),
    ]);
    await joinMp4({ ...job, metadata, output: join(folder, "again.mp4") });
    expect((await readFile(join(folder, "again.mp4"))).equals(await readFile(output))).toBe(true);

    await stillOf({ ffmpeg, clip: output, frame: 17, output: join(folder, "still.png") });
    near((await greys(join(folder, "still.png"), 64, 64)).middles, [120]);
    await gifOf({ ffmpeg, clip: output, width: 32, height: 32, fps: 8, output: join(folder, "joined.gif") });
    expect((await greys(join(folder, "joined.gif"), 32, 32)).middles).toHaveLength(22);
  });

  test("other shapes get bars, other rates the same length", async () => {
    const shots = [
      { file: await clip("wide.mp4", 200, 4, 4, [96, 48]), start: 0, frames: 8, overlap: 0 },
      { file: await clip("fast.mp4", 90, 24, 24), start: 8, frames: 8, overlap: 0 },
    ];
    const output = join(folder, "mixed.mp4");
    const metadata = { title: "", comment: "{}" };
    await joinMp4({ ffmpeg, shots, width: 64, height: 64, fps: 8, folder, metadata, output });
    const { middles, corner } = await greys(output, 64, 64);
    near(middles, [...Array(8).fill(200), ...Array(8).fill(90)]);
    expect(corner).toBeLessThan(8);
  });
});

test("voices lie at their places; where two overlap neither is faded, and the whole stays below full scale", () => {
  const sound = (level: number, seconds: number) => ({
    samples: new Float32Array(seconds * 100).fill(level),
    sampleRate: 100,
  });
  const quiet = mixSounds(
    [
      { sound: sound(0.25, 1), start: 0 },
      { sound: sound(0.5, 1), start: 2 },
    ],
    4,
  );
  expect([0, 99, 100, 200, 299, 300].map((i) => quiet?.samples[i])).toEqual([0.25, 0.25, 0, 0.5, 0.5, 0]);
  expect(quiet?.samples).toHaveLength(400);
  const loud = mixSounds(
    [
      { sound: sound(0.8, 2), start: 0 },
      { sound: sound(0.8, 2), start: 1 },
    ],
    3,
  );
  expect(loud?.samples[150]).toBeCloseTo(0.891, 3);
  expect(loud?.samples[50]).toBeCloseTo(0.446, 3);
  expect(mixSounds([], 3)).toBeUndefined();
  const other = { samples: new Float32Array(1), sampleRate: 200 };
  expect(() =>
    mixSounds(
      [
        { sound: sound(0, 1), start: 0 },
        { sound: other, start: 1 },
      ],
      2,
    ),
  ).toThrow("200");
});

test("captions and sounds are read as they were written", () => {
  const captions = [
    { speaker: "Temo", text: "Look at <this> & &amp; that!", start: 0, end: 0.9 },
    { speaker: "S1 > S2", text: "مرحبا", start: 3_723.25, end: 3_724 },
  ];
  expect(fromWebVtt(toWebVtt(captions, 4_000))).toEqual(captions);
  expect(fromWebVtt("WEBVTT\n")).toEqual([]);
  const sound = { samples: Float32Array.of(0, 0.5, -1, 1), sampleRate: 16_000 };
  const { samples, sampleRate } = fromWav(toWav(sound));
  expect([sampleRate, ...samples]).toEqual([16_000, 0, expect.closeTo(0.5, 4), -1, 1]);
  expect(() => fromWav(new Uint8Array(44))).toThrow("mono WAV");
});
