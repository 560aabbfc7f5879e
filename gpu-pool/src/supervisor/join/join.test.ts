import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JoinSpec, RenderSpec, Transition } from "@cartoon/protos";
import type { JoinInput } from "@cartoon/protos/gen/JoinInput";
import sharp from "sharp";
import { fromWav, fromWebVtt } from "../../media/index.ts";
import { startsFast, streamsOf } from "../../media/testing/streams.ts";
import { clip, last, run, runRequest, speech, startTestNode, type TestNode } from "../testing/test-node.ts";
import { planJoin } from "./plan.ts";

setDefaultTimeout(120_000);

let node: TestNode;
let folder = "";
const inputs: (JoinInput & { seconds: number })[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-join-"));
  node = await startTestNode();
  await node.ready();
  // Three shots as their own jobs make them: two that speak, one that does not.
  for (const [shot, spec] of [
    { clip, speech },
    { clip: { ...clip, width: 64, num_frames: 8, seed: 7 } },
    { clip: { ...clip, seed: 8 }, speech: { ...speech, seed: 8 } },
  ].entries()) {
    const small = "clip" in spec ? { ...spec.clip, num_inference_steps: 2 } : clip;
    const job_id = `shot-${shot}`;
    const done = last(await run(node.client, runRequest(node.store, { ...spec, clip: small }, { job_id })));
    for (const { name, bytes, sha256, seconds } of done?.succeeded?.artefacts ?? [])
      if (["clip.mp4", "speech.wav", "captions.vtt", "manifest.json"].includes(name))
        inputs.push({
          shot,
          name,
          bytes,
          sha256,
          seconds,
          get_url: `${node.store.origin}/${job_id}/${name}`,
        });
  }
});
afterAll(async () => {
  await node.close();
  await rm(folder, { recursive: true, force: true });
});

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const object = (name: string): Uint8Array => node.store.objects.get(name) ?? new Uint8Array();
const text = (name: string) => new TextDecoder().decode(object(name));
const secondsOf = (shot: number) =>
  inputs.find((one) => one.shot === shot && one.name === "clip.mp4")?.seconds ?? 0;

const CUT: Transition = { type: "cut", seconds: 0 };
const joinSpec = (transitions: Transition[]): JoinSpec => ({
  shots: [0, 1, 2].map((shot) => ({ job_id: `shot-${shot}` })),
  transitions,
  ...{ width: 96, height: 64, fps: 8, title: "Three shots", spoken: true },
});
const request = (job_id: string, join: JoinSpec, more: object = {}) =>
  runRequest(node.store, { join } as Partial<RenderSpec>, { job_id, inputs, ...more });

describe("a join", () => {
  test("makes one clip of the shots, with cross-fade, captions at their times, and everything that goes with it", async () => {
    const spec = joinSpec([{ type: "crossfade", seconds: 0.5 }, CUT]);
    const outcome = await run(node.client, request("whole", spec));
    const done = last(outcome)?.succeeded;
    expect(done?.artefacts?.map(({ name }) => name).sort()).toEqual(
      ["captions.vtt", "clip.gif", "clip.mp4", "manifest.json", "poster.png", "speech.wav"].sort(),
    );
    for (const { name, sha256: hash } of done?.artefacts ?? [])
      expect(hash).toBe(sha256(object(`whole/${name}`)));
    const starts = [0, secondsOf(0) - 0.5, secondsOf(0) - 0.5 + secondsOf(1)];
    const seconds = (starts[2] ?? 0) + secondsOf(2);
    expect(done?.artefacts?.find(({ name }) => name === "clip.mp4")?.seconds).toBe(seconds);

    const own = [0, 2].map((shot) => fromWebVtt(text(`shot-${shot}/captions.vtt`)));
    const expected = own.flatMap((lines, i) =>
      lines.map((line) => {
        const start = starts[i * 2] ?? 0;
        return { ...line, start: line.start + start, end: line.end + start };
      }),
    );
    const captions = fromWebVtt(text("whole/captions.vtt"));
    expect(captions).toHaveLength(4);
    for (const [i, line] of captions.entries()) {
      expect(line).toMatchObject({ speaker: expected[i]?.speaker ?? "", text: expected[i]?.text ?? "" });
      expect(line.start).toBeCloseTo(expected[i]?.start ?? -1, 2);
      expect(line.end).toBeCloseTo(expected[i]?.end ?? -1, 2);
    }

    const sound = fromWav(object("whole/speech.wav"));
    expect(sound.samples.length / sound.sampleRate).toBeCloseTo(seconds, 3);
    const third = fromWav(object("shot-2/speech.wav"));
    const from = Math.round((starts[2] ?? 0) * sound.sampleRate);
    const same = third.samples.every((sample, i) => Math.abs(sample - (sound.samples[from + i] ?? 9)) < 1e-3);
    expect(same).toBe(true);

    const manifest = JSON.parse(text("whole/manifest.json"));
    expect(manifest).toMatchObject({ job_id: "whole", title: "Three shots", seconds });
    expect(manifest.shots).toEqual(
      [0, 1, 2].map((shot) => ({
        job_id: `shot-${shot}`,
        manifest_sha256: sha256(object(`shot-${shot}/manifest.json`)),
        seed: [42, 7, 8][shot],
        start: starts[shot],
        seconds: secondsOf(shot),
      })),
    );
    expect(manifest.transitions).toEqual([{ type: "crossfade", seconds: 0.5 }, CUT]);
    expect(await sharp(object("whole/poster.png")).metadata()).toMatchObject({ width: 96, height: 64 });
    expect(await sharp(object("whole/clip.gif"), { animated: true }).metadata()).toMatchObject({
      pages: Math.round(seconds * 8),
    });
  });

  test("is H.264, AAC and mov_text, index first, with the manifest inside", async () => {
    const file = join(folder, "whole.mp4");
    await writeFile(file, object("whole/clip.mp4"));
    const { codecs, video, frames, comment } = await streamsOf(file);
    expect(codecs).toEqual(["h264", "aac", "mov_text"]);
    expect(video).toMatch(/yuv420p.*bt709.*96x64/);
    expect(frames).toBe(Math.round((secondsOf(0) - 0.5 + secondsOf(1) + secondsOf(2)) * 8));
    expect(startsFast(object("whole/clip.mp4"))).toBe(true);
    expect(comment).toContain('"job_id":"shot-0"');
  });

  test("of the same shots gives the same bytes, on another attempt too", async () => {
    const spec = joinSpec([{ type: "crossfade", seconds: 0.5 }, CUT]);
    await run(node.client, request("again", spec, { attempt: 2, fence: 2 }));
    for (const name of ["clip.mp4", "clip.gif", "speech.wav", "captions.vtt", "poster.png"])
      expect(sha256(object(`again/${name}`))).toBe(sha256(object(`whole/${name}`)));
  });

  test("gives the slot back while it works", async () => {
    const free: number[] = [];
    const joined = await run(node.client, request("beside", joinSpec([CUT, CUT])), (event) => {
      if (event.progress?.stage === "mux") free.push(node.node.pool.status().permits_free);
    });
    expect(last(joined)?.succeeded).toBeTruthy();
    expect(free[0]).toBe(1);
  });

  test("a shot that is gone or damaged may come back; one without a clip is refused", async () => {
    const damaged = inputs.map((input) => (input.shot === 1 ? { ...input, sha256: "0".repeat(64) } : input));
    const bad = last(await run(node.client, request("bad", joinSpec([CUT, CUT]), { inputs: damaged })));
    expect(bad?.failed).toMatchObject({ code: "inputs_unavailable", retryable: true });
    expect(bad?.failed?.message).toContain("shot 2, ");
    const gone = inputs.map((input) =>
      input.shot === 2 ? { ...input, get_url: `${input.get_url}x` } : input,
    );
    const lost = last(await run(node.client, request("lost", joinSpec([CUT, CUT]), { inputs: gone })));
    expect(lost?.failed?.message).toContain("the store answered 404");
    const without = inputs.filter(({ shot }) => shot !== 0);
    const none = last(await run(node.client, request("none", joinSpec([CUT, CUT]), { inputs: without })));
    expect(none?.failed).toMatchObject({ code: "invalid_spec", retryable: false });
    expect(none?.failed?.message).toContain("join.shots.0");
  });

  test("that is canceled ends with a receipt", async () => {
    const call = node.client.run(request("stopped", joinSpec([CUT, CUT])));
    let ended: unknown;
    for await (const event of call) {
      if (event.accepted) node.node.stop({ job_id: "stopped", fence: 1, partial: false });
      ended = event.canceled ?? event.succeeded;
    }
    expect(ended).toMatchObject({ receipt: { device_seconds: 0 } });
    expect(node.store.objects.has("stopped/clip.mp4")).toBe(false);
  });
});

describe("the time line", () => {
  const spec = (transitions: Transition[]): JoinSpec => ({
    ...joinSpec(transitions),
    shots: [...transitions, CUT].map((_, i) => ({ job_id: `${i}` })),
  });
  const fade = (seconds: number): Transition => ({ type: "crossfade", seconds });

  test("cross-fades take their time from both shots", () => {
    const { places, seconds, warnings } = planJoin(spec([fade(0.5), CUT]), [2, 2, 1]);
    expect(places).toEqual([
      { start: 0, frames: 16, overlap: 4 },
      { start: 12, frames: 16, overlap: 0 },
      { start: 28, frames: 8, overlap: 0 },
    ]);
    expect([seconds, warnings]).toEqual([4.5, []]);
  });

  test("one that is too long is shortened, and said so; every shot keeps a frame of its own", () => {
    const { places, warnings } = planJoin(spec([fade(5), fade(5)]), [2, 1, 2]);
    expect(places.map(({ overlap }) => overlap)).toEqual([3, 4, 0]);
    expect(warnings.map(({ field, given, used }) => [field, given, used])).toEqual([
      ["transitions.0.seconds", "5", "0.375"],
      ["transitions.1.seconds", "5", "0.5"],
    ]);
    const tiny = planJoin(spec([fade(1)]), [0.01, 2]);
    expect([tiny.places[0]?.overlap, tiny.warnings[0]?.used]).toEqual([0, "cut"]);
  });

  test("sizes become even", () => {
    const odd = planJoin({ ...spec([CUT]), width: 97, height: 65 }, [1, 1]);
    expect([odd.width, odd.height]).toEqual([96, 64]);
  });
});
