import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { toSubRip, toWebVtt } from "./captions.ts";
import { findFfmpeg } from "./find-ffmpeg.ts";
import { fitClip } from "./fit.ts";
import type { Frames } from "./frames.ts";
import { encodeGif, gifSize } from "./gif.ts";
import { encodeMp4 } from "./mp4.ts";
import { runFfmpeg } from "./run-ffmpeg.ts";
import { encodePoster, encodePreview, MAX_PREVIEW_BYTES } from "./stills.ts";
import { fitSound, toWav } from "./wav.ts";

// The binary that a machine without ffmpeg gets: the oldest that has to work.
const bundled: string = createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg").path;

/** A bright square that moves right over a dark ground. */
function movingSquare(count: number, size: number, fps: number): Frames {
  const data = new Uint8Array(count * size * size * 3).fill(30);
  for (let f = 0; f < count; f++) {
    for (let y = 8; y < 24; y++) {
      for (let x = 0; x < 16; x++)
        data.fill(220, ((f * size + y) * size + x + f * 2) * 3, ((f * size + y) * size + x + f * 2) * 3 + 2);
    }
  }
  return { data, count, width: size, height: size, fps };
}

const tone = {
  samples: Float32Array.from({ length: 32_000 }, (_, i) => 0.3 * Math.sin((2 * Math.PI * 220 * i) / 16_000)),
  sampleRate: 16_000,
};
const captions = [
  { speaker: "Temo", text: "Look at <this> & that!", start: 0, end: 0.9 },
  { speaker: "Felfel", text: "Amazing\n discovery!", start: 1, end: 2 },
];

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon media "));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Decodes with ffmpeg and returns the raw RGB bytes. */
async function decode(file: string): Promise<Buffer> {
  const raw = join(folder, "decoded.rgb");
  await runFfmpeg({
    ffmpeg: bundled,
    args: ["-i", file, "-vsync", "0", "-f", "rawvideo", "-pix_fmt", "rgb24", raw],
  });
  return readFile(raw);
}

describe("fit policies", () => {
  test("pingpong turns at both ends until the speech has ended", () => {
    expect(fitClip(4, 4, 2.5, "pingpong").timeline).toEqual([0, 1, 2, 3, 2, 1, 0, 1, 2, 3]);
    expect(fitClip(1, 8, 0.5, "pingpong").timeline).toEqual([0, 0, 0, 0]);
  });
  test("loop starts again, hold stays, pad goes black", () => {
    expect(fitClip(3, 3, 5 / 3, "loop").timeline).toEqual([0, 1, 2, 0, 1]);
    expect(fitClip(3, 3, 5 / 3, "hold").timeline).toEqual([0, 1, 2, 2, 2]);
    expect(fitClip(3, 3, 5 / 3, "pad").timeline).toEqual([0, 1, 2, -1, -1]);
  });
  test("trim cuts the longer one; all others keep a clip that outlasts the speech", () => {
    expect(fitClip(8, 4, 1, "trim")).toEqual({ timeline: [0, 1, 2, 3], seconds: 1 });
    expect(fitClip(4, 4, 9, "trim").seconds).toBe(1);
    for (const policy of ["pingpong", "loop", "hold", "pad"] as const) {
      expect(fitClip(8, 4, 1, policy).seconds).toBe(2);
    }
  });
  test("without speech the clip is shown once", () => {
    expect(fitClip(3, 8, undefined, "pingpong").timeline).toEqual([0, 1, 2]);
  });
});

test("captions carry the speaker, escape markup and end with the clip", () => {
  const vtt = toWebVtt(captions, 1.5);
  expect(vtt).toStartWith(
    "WEBVTT\n\n1\n00:00:00.000 --> 00:00:00.900\n<v Temo>Look at &lt;this&gt; &amp; that!</v>\n",
  );
  expect(vtt).toContain("00:00:01.000 --> 00:00:01.500\n<v Felfel>Amazing discovery!</v>");
  expect(toSubRip(captions, 0.95)).toBe("1\n00:00:00,000 --> 00:00:00,900\nTemo: Look at <this> & that!\n");
});

test("sound is cut or padded to the length of the picture", () => {
  expect(fitSound(tone, 1).samples.length).toBe(16_000);
  const padded = fitSound(tone, 3).samples;
  expect(padded.length).toBe(48_000);
  expect(padded.at(-1)).toBe(0);
  const wav = toWav({ samples: Float32Array.of(2, -2, 0), sampleRate: 16_000 });
  expect(new DataView(wav.buffer).getInt16(44, true)).toBe(32767);
  expect(wav.length).toBe(50);
});

test("an MP4 holds the scaled picture, the sound, the text track and the manifest, the same bytes each time", async () => {
  const frames = movingSquare(8, 64, 8);
  const fit = fitClip(8, 8, 2, "pingpong");
  const manifest = JSON.stringify({
    seed: 7,
    note: "a=b;c#d\\e\nnew line, مرحبا",
    long: "x".repeat(200_000),
  });
  const encode = async (output: string) => {
    await encodeMp4({
      ffmpeg: bundled,
      frames,
      fit,
      width: 128,
      height: 96,
      sound: tone,
      captions,
      metadata: { title: "t", comment: manifest },
      folder,
      output,
    });
    return readFile(output);
  };
  const first = await encode(join(folder, "a.mp4"));
  expect((await encode(join(folder, "b.mp4"))).equals(first)).toBe(true);
  expect(first.indexOf("moov")).toBeLessThan(first.indexOf("mdat"));
  for (const codec of ["avc1", "mp4a", "tx3g"]) expect(first.includes(codec)).toBe(true);
  const meta = join(folder, "back.ffmeta");
  await runFfmpeg({ ffmpeg: bundled, args: ["-i", join(folder, "a.mp4"), "-f", "ffmetadata", meta] });
  const comment = /^comment=((?:[^\n]|\\\n)*)$/m.exec(
    (await readFile(meta, "utf8")).replaceAll("\\\n", "\\\u0000"),
  )?.[1];
  expect(comment?.replace(/\\(.)/gs, "$1").replaceAll("\u0000", "\n")).toBe(manifest);
  const pixels = await decode(join(folder, "a.mp4"));
  expect(pixels.length).toBe(16 * 128 * 96 * 3);
  const bright = (frame: number, x: number) => pixels[(frame * 96 * 128 + 24 * 128 + x) * 3] ?? 0;
  expect(bright(0, 16)).toBeGreaterThan(180);
  expect(bright(7, 4)).toBeLessThan(60);
  expect(bright(14, 16)).toBeGreaterThan(180);
});

test("a failing ffmpeg is reported with its own words", async () => {
  const run = runFfmpeg({ ffmpeg: bundled, args: ["-i", join(folder, "none.mp4"), join(folder, "x.gif")] });
  expect(run).rejects.toThrow(/No such file/);
});

test("a GIF stays small, a poster has the asked size, a preview is an animated WebP", async () => {
  const frames = movingSquare(8, 64, 8);
  expect(gifSize(1024, 512)).toEqual({ width: 480, height: 240 });
  expect(gifSize(256, 256)).toEqual({ width: 256, height: 256 });
  const gif = join(folder, "a.gif");
  await encodeGif({ ffmpeg: bundled, frames, width: 96, height: 96, output: gif });
  expect(await sharp(gif, { animated: true }).metadata()).toMatchObject({
    format: "gif",
    width: 96,
    pages: 8,
    loop: 0,
  });
  expect(await sharp(await encodePoster(frames, 4, 200, 100)).metadata()).toMatchObject({
    format: "png",
    width: 200,
    height: 100,
  });
  const preview = await encodePreview(frames);
  expect(await sharp(preview, { animated: true }).metadata()).toMatchObject({
    format: "webp",
    pages: 8,
    delay: Array(8).fill(125),
  });
});

test("previews of noise are brought below the limit", async () => {
  let state = 1;
  const data = Uint8Array.from({ length: 32 * 256 * 256 * 3 }, () => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return state >> 16;
  });
  const bytes = await encodePreview({ data, count: 32, width: 256, height: 256, fps: 8 });
  expect(bytes.length).toBeLessThanOrEqual(MAX_PREVIEW_BYTES);
});

describe("finding ffmpeg", () => {
  test("FFMPEG_PATH wins and must be executable", async () => {
    expect(await findFfmpeg({ FFMPEG_PATH: bundled, PATH: "" })).toBe(bundled);
    expect(findFfmpeg({ FFMPEG_PATH: "/nowhere/ffmpeg" })).rejects.toThrow(
      "FFMPEG_PATH names /nowhere/ffmpeg",
    );
  });
  test("a machine without ffmpeg still has one", async () => {
    const found = await findFfmpeg({ PATH: "" });
    await runFfmpeg({ ffmpeg: found, args: ["-version"] });
  });
});
