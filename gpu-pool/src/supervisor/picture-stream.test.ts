import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeMp4, FfmpegKilled, type Frames, fitClip, muxMp4, toWav } from "../media/index.ts";
import { runFfmpeg } from "../media/run-ffmpeg.ts";
import { loadPack } from "../packs/index.ts";
import { type AnimateDiffPipeline, loadAnimateDiff } from "../pipelines/animatediff/index.ts";
import { writeTinyPack } from "../pipelines/animatediff/testing/tiny-pack.ts";
import { FrameFileWriter } from "../runner/frame-file.ts";
import { canStream, PictureStream } from "./picture-stream.ts";
import { clip, last, run, runRequest, speech, startTestNode } from "./testing/test-node.ts";

setDefaultTimeout(60_000);

const bundled: string = createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg").path;
const size = { width: 96, height: 64 };
const metadata = { title: "a walk", comment: JSON.stringify({ seed: 9, long: "x".repeat(2000) }) };
const sound = {
  samples: Float32Array.from({ length: 30_000 }, (_, i) => Math.sin(i / 9) / 3),
  sampleRate: 16_000,
};
const captions = [{ speaker: "Temo", text: "Hello", start: 0.1, end: 0.8 }];

let folder: string;
let pack: string;
let pipeline: AnimateDiffPipeline;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon stream-"));
  pack = await writeTinyPack();
  const options = { cacheDir: join(pack, "cache"), device: "cpu", threads: 1 } as const;
  pipeline = await loadAnimateDiff(await loadPack(pack), options);
});
afterAll(async () => {
  await pipeline.close();
  await rm(folder, { recursive: true, force: true });
  await rm(pack, { recursive: true, force: true });
});

let streams = 0;
async function open(ffmpeg = bundled, signal = new AbortController().signal) {
  const own = await mkdtemp(join(folder, `${streams++}-`));
  return { folder: own, stream: new PictureStream({ ffmpeg, folder: own, size, signal }) };
}

/** Frames of noise, as a runner writes them. */
function noise(count: number, side: number, seed: number): Frames {
  let state = seed;
  const data = Uint8Array.from({ length: count * side * side * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  return { data, count, width: side, height: side, fps: 8 };
}

async function write(writer: FrameFileWriter, frames: Frames, first: number, count: number) {
  const bytes = frames.width * frames.height * 3;
  const data = frames.data.subarray(first * bytes, (first + count) * bytes);
  return writer.write({ ...frames, data, count }, first);
}

async function given(stream: PictureStream, count: number): Promise<void> {
  while (stream.given < count) await Bun.sleep(1);
}

/** A program in ffmpeg's place. */
async function program(text: string): Promise<string> {
  const path = join(folder, `program-${streams++}`);
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
}

describe("a clip that is encoded while it is decoded", () => {
  test("reaches the encoder before its last frame is there, and has the bytes of one that is encoded whole", async () => {
    const { folder: own, stream } = await open();
    const writer = new FrameFileWriter(own, 8);
    const order: string[] = [];
    let file = "";
    const drawn = await pipeline.generate(
      { prompt: "a walk", seed: 9, num_inference_steps: 2 },
      {
        onFrames: async (chunk, first) => {
          order.push(`decoded ${first + chunk.count}`);
          const frames = await writer.write(chunk, first);
          file = frames.file;
          stream.push(frames);
          await given(stream, frames.count);
          order.push(`encoding ${frames.count}`);
        },
      },
    );
    await writer.close();
    expect(order).toEqual(["decoded 4", "encoding 4", "decoded 8", "encoding 8"]);
    const frames = { ...drawn, data: drawn.frames };
    const fit = fitClip(8, 8, 1.8, "pingpong");
    expect(fit.timeline).toHaveLength(15);
    const picture = await stream.take(file, frames, fit);
    expect(await stream.take(file, frames, fit)).toBe(picture);
    if (!picture) throw new Error("the picture did not come this way");
    const [streamed, whole] = [join(own, "streamed.mp4"), join(own, "whole.mp4")];
    const tracks = { ffmpeg: bundled, folder: own, sound, captions, metadata };
    await muxMp4({ ...tracks, picture: picture.file, seconds: picture.seconds, output: streamed });
    await encodeMp4({ ...tracks, ...size, frames, fit, output: whole });
    expect((await readFile(streamed)).equals(await readFile(whole))).toBe(true);
  });

  test("is shown as its dialogue decides, which comes last", async () => {
    const frames = noise(6, 32, 1);
    for (const policy of ["pingpong", "loop", "hold", "pad", "extend"] as const) {
      const { folder: own, stream } = await open();
      const writer = new FrameFileWriter(own, 8);
      let file = "";
      for (const first of [0, 4]) {
        const written = await write(writer, frames, first, first === 0 ? 4 : 2);
        file = written.file;
        stream.push(written);
      }
      await writer.close();
      const fit = fitClip(6, 8, 1.5, policy);
      const picture = await stream.take(file, frames, fit);
      const [streamed, whole] = [join(own, "streamed.mp4"), join(own, "whole.mp4")];
      const tracks = { ffmpeg: bundled, folder: own, metadata };
      await muxMp4({ ...tracks, picture: picture?.file ?? "", seconds: fit.seconds, output: streamed });
      await encodeMp4({ ...tracks, ...size, frames, fit, output: whole });
      expect((await readFile(streamed)).equals(await readFile(whole))).toBe(true);
    }
  });

  test("gives way to another that takes its place: smaller, after memory ran out", async () => {
    const { folder: own, stream } = await open();
    const [large, small] = [noise(4, 64, 1), noise(4, 32, 2)];
    const writer = new FrameFileWriter(own, 8);
    const first = await write(writer, large, 0, 2);
    stream.push(first);
    const again = await write(writer, small, 0, 2);
    expect(again.file).not.toBe(first.file);
    stream.push(again);
    const last = await write(writer, small, 2, 2);
    stream.push(last);
    await writer.close();
    const fit = fitClip(4, 8, undefined, "pingpong");
    const picture = await stream.take(last.file, small, fit);
    const whole = join(own, "whole.mp4");
    await encodeMp4({ ffmpeg: bundled, folder: own, metadata, ...size, frames: small, fit, output: whole });
    const streamed = join(own, "streamed.mp4");
    const seconds = fit.seconds;
    const mux = { ffmpeg: bundled, folder: own, metadata, seconds, output: streamed };
    await muxMp4({ ...mux, picture: picture?.file ?? "" });
    expect((await readFile(streamed)).equals(await readFile(whole))).toBe(true);
    await expect(write(new FrameFileWriter(own, 8), small, 2, 2)).rejects.toThrow("out of order");
  });

  test("is left to be encoded whole where its end is cut off, or where frames are missing", async () => {
    const frames = noise(8, 32, 1);
    const { folder: own, stream } = await open();
    const writer = new FrameFileWriter(own, 8);
    const written = await write(writer, frames, 0, 8);
    await writer.close();
    stream.push(written);
    expect(await stream.take(written.file, frames, fitClip(8, 8, 0.5, "trim"))).toBeUndefined();
    const other = await open();
    other.stream.push({ ...written, count: 4 });
    expect(
      await other.stream.take(written.file, frames, fitClip(8, 8, undefined, "pingpong")),
    ).toBeUndefined();
  });
});

test("a node encodes this way: the picture by itself while it is drawn, then one file around it", async () => {
  const log = join(folder, "calls");
  const node = await startTestNode({
    FFMPEG_PATH: await program(`echo "$@" >> "${log}"\nexec "${bundled}" "$@"`),
  });
  await node.ready();
  for (const fit of ["pingpong", "trim"] as const) {
    const spec = { clip, speech, output: { formats: ["mp4" as const], fit, captions: false } };
    const uploads = [{ name: "clip.mp4", put_url: `${node.store.origin}/${fit}.mp4` }];
    const outcome = await run(node.client, runRequest(node.store, spec, { job_id: fit, uploads }));
    expect(last(outcome)?.event).toBe("succeeded");
  }
  await node.close();
  const calls = (await readFile(log, "utf8"))
    .trim()
    .split("\n")
    .filter((call) => call.includes(" -i "));
  expect(calls.map((call) => /(pipe:0|copy).* (?:.*\/)?([\w-]+\.mp4)$/.exec(call)?.slice(1))).toEqual([
    ["pipe:0", "picture-0.mp4"],
    ["copy", "clip.mp4"],
    ["pipe:0", "mux-picture.mp4"],
    ["copy", "clip.mp4"],
  ]);
});

describe("an encoder", () => {
  const big = noise(8, 256, 3);

  test("that dies says so, and nobody waits for it", async () => {
    const fit = fitClip(8, 8, undefined, "pingpong");
    const cases = { "echo no room >&2; exit 3": /ended with 3: no room/, "kill -9 $$": FfmpegKilled };
    for (const [text, problem] of Object.entries(cases)) {
      const { folder: own, stream } = await open(await program(text));
      const writer = new FrameFileWriter(own, 8);
      const written = await write(writer, big, 0, 8);
      await writer.close();
      stream.push(written);
      await expect(stream.take(written.file, big, fit)).rejects.toThrow(problem);
      await stream.drop();
    }
  });

  test("that takes nothing more is ended with its job, and is gone", async () => {
    const pid = join(folder, "pid");
    const stuck = await program(`echo $$ > "${pid}"\nhead -c 1000 > /dev/null\nexec sleep 1000`);
    for (const end of ["abort", "drop"] as const) {
      const job = new AbortController();
      const { folder: own, stream } = await open(stuck, job.signal);
      const writer = new FrameFileWriter(own, 8);
      stream.push(await write(writer, big, 0, 8));
      await writer.close();
      while (!(await Bun.file(pid).exists()) || !(await Bun.file(pid).text()).endsWith("\n"))
        await Bun.sleep(2);
      const id = Number(await Bun.file(pid).text());
      expect(stream.given).toBeLessThan(8);
      if (end === "abort") job.abort();
      await stream.drop();
      expect(() => process.kill(id, 0)).toThrow("ESRCH");
      await rm(pid);
    }
  });
});

test("only a clip that somebody wants as MP4, and whose end no dialogue cuts off, is encoded early", () => {
  const output = { formats: [], fit: "pingpong", captions: true } as never;
  const spec = { clip, output };
  const at = (name: string) => ({ uploads: [{ name }] as never, partial_uploads: [] });
  expect(canStream(spec, at("clip.mp4"))).toBe(true);
  expect(canStream(spec, { uploads: [], partial_uploads: [{ name: "clip.mp4" }] as never })).toBe(true);
  expect(canStream(spec, at("clip.gif"))).toBe(false);
  expect(canStream({ output, speech: {} as never }, at("clip.mp4"))).toBe(false);
  const trim = { fit: "trim" } as never;
  expect(canStream({ clip, output: trim }, at("clip.mp4"))).toBe(true);
  expect(canStream({ clip, speech: {} as never, output: trim }, at("clip.mp4"))).toBe(false);
});

test("two steps give the MP4 that ffmpeg writes in one", async () => {
  const frames = noise(12, 64, 5);
  const wav = join(folder, "one.wav");
  const two = join(folder, "two.mp4");
  const one = join(folder, "one.mp4");
  const fit = fitClip(12, 7, undefined, "pingpong");
  const tone = { samples: sound.samples.subarray(0, Math.round(fit.seconds * 16_000)), sampleRate: 16_000 };
  await writeFile(wav, toWav(tone));
  const common = { ffmpeg: bundled, folder, sound: tone, metadata, ...size, output: two };
  await encodeMp4({ ...common, frames: { ...frames, fps: 7 }, fit });
  const bitexact = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"];
  const colours = [
    "-colorspace",
    "bt709",
    "-color_primaries",
    "bt709",
    "-color_trc",
    "bt709",
    "-color_range",
    "tv",
  ];
  await runFfmpeg({
    ffmpeg: bundled,
    input: [frames.data],
    args: [
      ...["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x64", "-r", "7", "-i", "pipe:0", "-i", wav],
      ...["-i", join(folder, "mux-metadata.wav"), "-map", "0:v", "-map", "1:a", "-map_metadata", "2"],
      ...["-vf", "scale=96:64:flags=lanczos,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"],
      ...["-c:a", "aac", "-b:a", "128k", "-ac", "1", "-c:v", "libx264", "-preset", "veryfast"],
      ...["-tune", "animation", "-crf", "19", ...colours, ...bitexact, "-movflags", "+faststart", one],
    ],
  });
  expect((await readFile(two)).equals(await readFile(one))).toBe(true);
});
