import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DescribeResponse__Output } from "@cartoon/protos/gen/DescribeResponse";
import { readWav } from "../speech/read-wav.ts";
import {
  clip,
  last,
  output,
  run,
  runRequest,
  speech,
  startTestNode,
  type TestNode,
} from "./testing/test-node.ts";

setDefaultTimeout(60_000);

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
  await node.ready();
});
afterAll(() => node.close());

const dialogue = {
  ...speech,
  lines: ["One, two, three.", "Four and five.", "Six and seven.", "Eight, nine, ten."].map((text, i) => ({
    speaker: i % 2 === 0 ? "temo" : "felfel",
    text,
  })),
};
const render = (job_id: string, spec: Parameters<typeof runRequest>[1]) =>
  run(node.client, runRequest(node.store, spec, { job_id }));

test("finished sentences go out as WAVs, one after another, before the result", async () => {
  const outcome = await render("parts", { speech: dialogue });
  expect(last(outcome)?.event).toBe("succeeded");
  const parts = outcome.events.flatMap(({ preview }) => (preview ? [preview] : []));
  expect(parts.length).toBeGreaterThan(1);
  expect(parts.map(({ step }) => step)).toEqual(parts.map((_, i) => i));
  expect(parts.map(({ last }) => last)).toEqual(parts.map((_, i) => i === parts.length - 1));
  let end = 0;
  for (const { content_type, data, start_seconds, seconds } of parts) {
    expect(content_type).toBe("audio/wav");
    const { samples, sampleRate } = readWav(new Uint8Array(data));
    expect(sampleRate).toBe(8000);
    expect(samples.length / sampleRate).toBeCloseTo(seconds, 6);
    expect(start_seconds).toBeGreaterThanOrEqual(end);
    end = start_seconds + seconds;
  }
  const whole = readWav(node.store.objects.get("parts/speech.wav") ?? new Uint8Array());
  expect(end).toBeCloseTo(whole.samples.length / whole.sampleRate, 3);
  const order = outcome.events.map(({ event }) => event);
  expect(order.lastIndexOf("preview")).toBeLessThan(order.indexOf("artefact"));
});

test("the first second goes out before its sentence is finished; sentences that went wrong come again", async () => {
  // As many frames as the tiny voice can make are two seconds of this codec.
  const slow = await startTestNode({}, async (pack) => {
    for (const [name, change] of Object.entries({
      "dac/config.json": (config: { sampling_rate: number }) => ({ ...config, sampling_rate: 4000 }),
      "pack.json": (manifest: { voice: object }) => ({
        ...manifest,
        voice: { ...manifest.voice, sample_rate: 4000, speakers: {} },
      }),
    })) {
      const path = join(pack, name);
      await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, "utf8")))));
    }
  });
  await slow.ready();
  const lines = [{ speaker: "S1", text: "Hello there, my old friend." }];
  let early = 0;
  for (const seed of [4, 9, 18, 20, 21]) {
    const spec = { speech: { ...speech, lines, max_new_tokens: 230, seed } };
    const { events } = await run(slow.client, runRequest(slow.store, spec, { job_id: `early-${seed}` }));
    expect(events.at(-1)?.event).toBe("succeeded");
    const parts = events.flatMap(({ preview }) => (preview ? [preview] : []));
    expect(parts.map(({ step }) => step)).toEqual(parts.map((_, i) => i));
    expect(parts.every(({ chunk }) => chunk === 0)).toBe(true);
    const attempt = Math.max(...parts.map((part) => part.attempt));
    const kept = parts.filter((part) => part.attempt === attempt);
    expect(kept[0]?.start_seconds).toBe(0);
    const whole = readWav(slow.store.objects.get(`early-${seed}/speech.wav`) ?? new Uint8Array());
    const heard = kept.reduce((sum, { seconds }) => sum + seconds, 0);
    expect(heard).toBeCloseTo(whole.samples.length / whole.sampleRate, 2);
    if (parts.length > 1) early += 1;
  }
  expect(early).toBeGreaterThan(0);
  await slow.close();
});

test("progress is told in seconds of speech", async () => {
  const { events } = await render("seconds", { speech: dialogue });
  const told = events.flatMap(({ progress }) => (progress?.stage === "speech" ? [progress] : []));
  expect(told.length).toBeGreaterThan(1);
  const seconds = told.slice(0, -1).map(({ speech_seconds }) => speech_seconds);
  expect(seconds.toSorted((a, b) => a - b)).toEqual(seconds);
  const final = told.at(-1);
  expect(final?.speech_seconds).toBe(final?.speech_seconds_expected ?? 0);
  const { samples, sampleRate } = readWav(node.store.objects.get("seconds/speech.wav") ?? new Uint8Array());
  expect(final?.speech_seconds).toBeCloseTo(samples.length / sampleRate, 3);
  expect(events.find(({ progress }) => progress?.stage === "mux")?.progress?.speech_seconds).toBe(0);
});

test("the manifest has each line's mouth in the frames of the clip", async () => {
  await render("mouth", { clip, speech: dialogue, output });
  const manifest = JSON.parse(new TextDecoder().decode(node.store.objects.get("mouth/manifest.json")));
  expect(manifest.mouth.rate).toBe(clip.fps);
  expect(manifest.mouth.lines).toHaveLength(4);
  for (const [i, { character, start, end, frame, levels }] of manifest.mouth.lines.entries()) {
    expect({ character, start, end }).toMatchObject({
      character: dialogue.lines[i]?.speaker,
      start: manifest.used.lines[i].start,
      end: manifest.used.lines[i].end,
    });
    expect(frame).toBe(Math.floor(start * clip.fps));
    expect(levels).toHaveLength(Math.max(1, Math.ceil(end * clip.fps) - frame));
    for (const level of levels) expect(level).toBeWithin(0, 1.001);
  }
});

test("fit extend draws a moving picture for all of a dialogue, beyond the frames that the pack draws by itself", async () => {
  const spec = { clip: { ...clip, num_inference_steps: 1, fps: 60 }, speech: dialogue };
  const outcome = await render("long", { ...spec, output: { ...output, fit: "extend" } });
  expect(last(outcome)?.event).toBe("succeeded");
  const { used } = JSON.parse(new TextDecoder().decode(node.store.objects.get("long/manifest.json")));
  const { samples, sampleRate } = readWav(node.store.objects.get("long/speech.wav") ?? new Uint8Array());
  expect(used.frames.count).toBe(Math.ceil((samples.length / sampleRate) * 60));
  const { packs } = await new Promise<DescribeResponse__Output>((resolve, reject) => {
    node.client.describe({}, (error, value) => (value ? resolve(value) : reject(error)));
  });
  const { picture } = JSON.parse(packs[0]?.manifest_json ?? "{}");
  expect(used.frames.count).toBeGreaterThan(picture.frames.max);
  const mp4 = last(outcome)?.succeeded?.artefacts.find(({ name }) => name === "clip.mp4");
  expect(mp4?.seconds).toBeCloseTo(used.frames.count / 60, 6);
});

test("Stop while it speaks ends the attempt, and nothing is heard of it any more", async () => {
  const long = { ...dialogue, lines: Array.from({ length: 20 }, () => dialogue.lines).flat() };
  const outcome = await run(
    node.client,
    runRequest(node.store, { speech: long }, { job_id: "stop" }),
    (event) => {
      if (event.preview?.step === 0) node.client.stop({ job_id: "stop", fence: 1 }, () => {});
    },
  );
  expect(last(outcome)?.event).toBe("canceled");
  expect(outcome.events.filter(({ preview }) => preview).length).toBeLessThan(80);
  expect(last(await render("after", { speech }))?.event).toBe("succeeded");
});
