import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readWav } from "../speech/read-wav.ts";
import { decodeSound } from "./decode-sound.ts";
import { runFfmpeg } from "./run-ffmpeg.ts";
import { toWav } from "./wav.ts";

const ffmpeg = createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg").path as string;
const never = new AbortController().signal;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-sound-"));
  const samples = Float32Array.from({ length: 16_000 }, (_, i) => 0.5 * Math.sin(i / 8));
  await writeFile(join(folder, "a.wav"), toWav({ samples, sampleRate: 16_000 }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const decode = async (name: string) => {
  await decodeSound(ffmpeg, join(folder, name), join(folder, `${name}.out`), never);
  return readWav(new Uint8Array(await readFile(join(folder, `${name}.out`))));
};

test.each([
  ["flac", []],
  ["mp3", ["-c:a", "libmp3lame"]],
  ["ogg", ["-c:a", "libvorbis"]],
  ["m4a", ["-c:a", "aac"]],
  ["webm", ["-c:a", "libopus"]],
] as [string, string[]][])("%s becomes WAV of the same length", async (format, codec) => {
  const args = ["-i", join(folder, "a.wav"), ...codec, join(folder, `a.${format}`)];
  await runFfmpeg({ ffmpeg, args });
  const { samples, sampleRate } = await decode(`a.${format}`);
  expect(Math.abs(samples.length / sampleRate - 1)).toBeLessThan(0.15);
  expect(Math.max(...samples)).toBeGreaterThan(0.3);
});

test("a playlist, a page and a damaged file are refused in words", async () => {
  const m3u8 = `#EXTM3U\n#EXTINF:1,\nfile://${join(folder, "a.wav")}\n#EXT-X-ENDLIST\n`;
  for (const [name, content] of Object.entries({ list: m3u8, page: "<html>", nothing: "" })) {
    await writeFile(join(folder, name), content);
    await expect(decode(name)).rejects.toThrow("no WAV, FLAC, MP3");
  }
  await writeFile(join(folder, "cut.flac"), "fLaC and then nothing of use");
  await expect(decode("cut.flac")).rejects.toThrow("can't be decoded");
});
