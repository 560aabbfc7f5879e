import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { status as Code } from "@grpc/grpc-js";
import sharp from "sharp";
import {
  clip,
  last,
  output,
  run,
  runRequest,
  speech,
  startTestNode,
  type TestNode,
  waitFor,
} from "./testing/test-node.ts";

setDefaultTimeout(60_000);

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
  await node.ready();
});
afterAll(() => node.close());

const sha256 = (bytes: Uint8Array | undefined) =>
  createHash("sha256")
    .update(bytes ?? "")
    .digest("hex");
const object = (name: string): Uint8Array => node.store.objects.get(name) ?? new Uint8Array();
const request = (job_id: string, spec: Parameters<typeof runRequest>[1], more: object = {}) =>
  runRequest(node.store, spec, { job_id, ...more });
// Long enough that something can happen to it in the middle.
const longClip = { ...clip, num_frames: 32, num_inference_steps: 50 };

test("Describe names packs, characters and devices", async () => {
  const answer = await new Promise<{ [key: string]: unknown }>((resolve, reject) => {
    node.client.describe({}, (error, value) => (error ? reject(error) : resolve({ ...value })));
  });
  expect(answer).toMatchObject({
    version: "6.0.0",
    status: { node_id: "test-node", health: "NODE_HEALTH_READY", permits_total: 1, permits_free: 1 },
    packs: [{ name: "tiny", is_default: true, characters: [{ name: "temo" }, { name: "felfel" }] }],
    devices: [{ kind: "cpu" }],
  });
});

describe("a job with picture and voice", () => {
  test("gives every artefact, with progress, a preview, hashes and a receipt", async () => {
    const outcome = await run(node.client, request("whole", { clip, speech }));
    const kinds = new Set(outcome.events.map(({ event }) => event));
    expect(outcome.events.map(({ sequence }) => sequence)).toEqual(outcome.events.map((_, i) => i + 1));
    for (const kind of ["accepted", "progress", "preview", "warning", "artefact"] as const)
      expect(kinds.has(kind)).toBe(true);
    const fractions = outcome.events.flatMap(({ progress }) => (progress ? [progress.fraction] : []));
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
    const done = last(outcome)?.succeeded;
    expect(done?.receipt).toMatchObject({ steps_done: 6, steps_total: 6 });
    expect(done?.receipt?.stages.map(({ stage }) => stage)).toEqual(
      expect.arrayContaining(["denoise", "decode", "speech", "mux", "upload"]),
    );
    expect(done?.artefacts).toHaveLength(6);
    for (const { name, sha256: hash, bytes } of done?.artefacts ?? []) {
      expect(hash).toBe(sha256(object(`whole/${name}`)));
      expect(bytes).toBe(object(`whole/${name}`).length);
    }
    expect(await sharp(object("whole/poster.png")).metadata()).toMatchObject({ width: 96, height: 64 });
    expect(new TextDecoder().decode(object("whole/captions.vtt"))).toStartWith("WEBVTT");
    const preview = outcome.events.find(({ preview }) => preview)?.preview;
    expect(await sharp(preview?.data, { animated: true }).metadata()).toMatchObject({ format: "webp" });
  });

  test("its manifest renders the same bytes again, and is inside the MP4", async () => {
    const manifest = JSON.parse(new TextDecoder().decode(object("whole/manifest.json")));
    expect(manifest).toMatchObject({
      seed: 42,
      job_id: "whole",
      spec: { clip: { width: 96 } },
      used: { clip: { width: 16 } },
    });
    expect(manifest.warnings[0]).toMatchObject({ field: "clip.size", given: "96x64", used: "16x16" });
    await run(node.client, request("again", manifest.spec));
    for (const name of ["clip.mp4", "clip.gif", "speech.wav", "poster.png"]) {
      expect(sha256(object(`again/${name}`))).toBe(sha256(object(`whole/${name}`)));
    }
    expect(Buffer.from(object("whole/clip.mp4")).includes('"generator":"cartoon-animation-worker"')).toBe(
      true,
    );
  });

  test("without speech, and without picture", async () => {
    const silent = await run(node.client, request("silent", { clip }));
    expect(
      last(silent)
        ?.succeeded?.artefacts.map(({ name }) => name)
        .sort(),
    ).toEqual(["clip.gif", "clip.mp4", "manifest.json", "poster.png"]);
    const voice = await run(node.client, request("voice", { speech }));
    expect(
      last(voice)
        ?.succeeded?.artefacts.map(({ name }) => name)
        .sort(),
    ).toEqual(["captions.vtt", "manifest.json", "speech.wav"]);
    expect(voice.events.some(({ warning }) => warning?.given === "clip.mp4")).toBe(true);
  });

  test("fit extend draws as long as the dialogue", async () => {
    const wordy = {
      ...speech,
      lines: [{ speaker: "temo", text: "One, two, three, four, five, six, seven, eight." }],
    };
    const outcome = await run(
      node.client,
      request("long", {
        clip: { ...clip, num_frames: 2, fps: 60 },
        speech: wordy,
        output: { ...output, fit: "extend" },
      }),
    );
    expect(last(outcome)?.event).toBe("succeeded");
    const { used } = JSON.parse(new TextDecoder().decode(object("long/manifest.json")));
    expect(used.frames.count).toBeGreaterThan(2);
  });
});

describe("what is wrong with a request", () => {
  test("is said in-band, and costs nothing", async () => {
    const outcome = await run(node.client, request("bad", { clip: { ...clip, num_frames: 0, fps: 999 } }));
    expect(outcome.error).toBeUndefined();
    expect(last(outcome)?.failed).toMatchObject({ code: "invalid_spec", retryable: false });
    expect(last(outcome)?.failed?.message).toMatch(/clip\.num_frames.*clip\.fps/s);
  });
  test("an unknown character or pack names the known ones", async () => {
    const stranger = await run(
      node.client,
      request("who", { clip: { ...clip, characters: [{ name: "bob", weight: 1 }] } }),
    );
    expect(last(stranger)?.failed?.message).toContain('no character "bob"; it has temo, felfel');
    const pack = await run(node.client, request("which", { pack: "huge", clip }));
    expect(last(pack)?.failed).toMatchObject({ code: "invalid_spec" });
  });
  test("a voice clip that cannot be fetched names its field", async () => {
    const voices = [{ character: "temo", audio_url: "http://127.0.0.1:1/a.wav", transcript: "Hi." }];
    const outcome = await run(node.client, request("voiceless", { speech: { ...speech, voices } }));
    expect(last(outcome)?.failed).toMatchObject({ code: "invalid_spec" });
    expect(last(outcome)?.failed?.message).toContain("speech.voices.0.audio_url");
  });
});

describe("permits and fences", () => {
  test("a busy node refuses, a stale fence is refused, a higher one takes over", async () => {
    let first: Promise<unknown> | undefined;
    const started = new Promise<void>((resolve) => {
      first = run(
        node.client,
        request("busy", { clip: longClip }, { fence: 5 }),
        ({ progress }) => progress && resolve(),
      ).then((outcome) => {
        expect(last(outcome)?.failed).toMatchObject({ code: "fenced", retryable: true });
      });
    });
    await started;
    expect((await run(node.client, request("other", { clip }))).error?.code).toBe(Code.RESOURCE_EXHAUSTED);
    expect((await run(node.client, request("busy", { clip }, { fence: 4 }))).error?.code).toBe(
      Code.FAILED_PRECONDITION,
    );
    const newer = await run(node.client, request("busy", { clip }, { fence: 6 }));
    expect(last(newer)?.event).toBe("succeeded");
    await first;
  });

  test("one job is delivered while the next one renders, and no third comes in beside it", async () => {
    let second: ReturnType<typeof run> | undefined;
    const ended = await run(node.client, request("early", { clip }), ({ progress }) => {
      if (progress?.stage === "mux") second ??= run(node.client, request("late", { clip: longClip }));
    });
    expect(last(ended)?.event).toBe("succeeded");
    expect((await run(node.client, request("third", { clip }))).error?.code).toBe(Code.RESOURCE_EXHAUSTED);
    expect(second && last(await second)?.event).toBe("succeeded");
  });
});

describe("stopping", () => {
  test("Stop ends at the next step, with a receipt", async () => {
    const found: boolean[] = [];
    const outcome = await run(node.client, request("stopped", { clip: longClip }), ({ progress }) => {
      if (progress?.step === 2)
        node.client.stop({ job_id: "stopped", fence: 1 }, (_error, value) =>
          found.push(Boolean(value?.found)),
        );
    });
    const { receipt } = last(outcome)?.canceled ?? {};
    expect(found).toEqual([true]);
    expect(receipt?.steps_done).toBeGreaterThanOrEqual(2);
    expect(receipt?.steps_done).toBeLessThan(50);
    expect(receipt?.device_seconds).toBeGreaterThan(0);
  });
  const partialTargets = (job: string) =>
    ["clip.mp4", "poster.png"].map((name) => ({
      name,
      put_url: `${node.store.origin}/${job}/partial-${name}`,
      content_type: "",
      headers: {},
    }));
  const stopPartly = (job_id: string) =>
    new Promise<boolean>((resolve) =>
      node.client.stop({ job_id, fence: 1, partial: true }, (_error, value) =>
        resolve(Boolean(value?.found)),
      ),
    );

  test("Stop with `partial` makes a clip and a poster of the frames as they stand, and ends as canceled", async () => {
    const found: Promise<boolean>[] = [];
    const more = { partial_uploads: partialTargets("partly") };
    const outcome = await run(
      node.client,
      request("partly", { clip: longClip, speech }, more),
      ({ progress }) => {
        // Once: where step 3 was the last, everything until the end tells of it.
        if (progress?.step === 3 && found.length === 0) found.push(stopPartly("partly"));
      },
    );
    expect(new Set(await Promise.all(found))).toEqual(new Set([true]));
    const { receipt, artefacts } = last(outcome)?.canceled ?? {};
    expect(receipt?.steps_done).toBeGreaterThanOrEqual(3);
    expect(receipt?.steps_done).toBeLessThan(50);
    expect(receipt?.device_seconds).toBeGreaterThan(0);
    expect(receipt?.stages.map(({ stage }) => stage)).toEqual(
      expect.arrayContaining(["denoise", "decode", "mux", "upload"]),
    );
    expect(artefacts?.map(({ name }) => name).sort()).toEqual(["clip.mp4", "poster.png"]);
    for (const { name, sha256: hash } of artefacts ?? [])
      expect(sha256(object(`partly/partial-${name}`))).toBe(hash);
    expect(await sharp(object("partly/partial-poster.png")).metadata()).toMatchObject({
      width: 96,
      height: 64,
    });
    expect(new TextDecoder().decode(object("partly/partial-clip.mp4").subarray(4, 8))).toBe("ftyp");
    expect(node.store.objects.has("partly/clip.mp4")).toBe(false);
  });

  test("with `partial` while the clip is being delivered, it is the whole clip that is kept", async () => {
    const more = { partial_uploads: partialTargets("late-stop") };
    const outcome = await run(node.client, request("late-stop", { clip }, more), ({ progress }) => {
      if (progress?.stage === "mux" && progress.fraction < 1) void stopPartly("late-stop");
    });
    const end = last(outcome);
    const made = (end?.canceled ?? end?.succeeded)?.artefacts?.map(({ name }) => name);
    expect(made).toEqual(expect.arrayContaining(["clip.mp4", "poster.png"]));
  });

  test("with `partial` where nothing is drawn, or nobody gave a place for it, there is the receipt alone", async () => {
    const wordy = { ...speech, lines: [{ speaker: "temo", text: "One two three four five. ".repeat(8) }] };
    const spoken = await run(
      node.client,
      request("spoken", { speech: wordy }, { partial_uploads: partialTargets("spoken") }),
      ({ progress }) => {
        if (progress?.stage === "speech") void stopPartly("spoken");
      },
    );
    expect(last(spoken)?.canceled?.artefacts).toEqual([]);
    const nowhere = await run(node.client, request("nowhere", { clip: longClip }), ({ progress }) => {
      if (progress?.step === 2) void stopPartly("nowhere");
    });
    expect(last(nowhere)?.canceled?.artefacts).toEqual([]);
    expect(last(nowhere)?.canceled?.receipt?.steps_done).toBeGreaterThanOrEqual(2);
  });

  test("a caller that hangs up frees the node", async () => {
    const call = node.client.run(request("hung-up", { clip: longClip }));
    call.on("error", () => {});
    await new Promise<void>((resolve) => call.on("data", ({ progress }) => progress && resolve()));
    call.cancel();
    await waitFor(node.node, "NODE_HEALTH_READY");
    expect(last(await run(node.client, request("after", { clip })))?.event).toBe("succeeded");
  });
  test("a deadline that passes ends the attempt for good", async () => {
    const outcome = await run(
      node.client,
      request("overdue", { clip: longClip }, { deadline_ms: Date.now() + 30 }),
    );
    expect(last(outcome)?.failed).toMatchObject({ code: "deadline_exceeded", retryable: false });
  });
});

describe("checkpoints", () => {
  const checkpoint = (more: object = {}) => ({
    put_url: `${node.store.origin}/state`,
    get_url: "",
    get_sha256: "",
    every_steps: 2,
    ...more,
  });
  const frames = (job: string) => sha256(object(`${job}/clip.gif`));

  test("after kill -9 of the runner the job goes on from its state, to the same bytes", async () => {
    const steady = { ...clip, num_inference_steps: 12 };
    await run(node.client, request("steady", { clip: steady }));
    const lost = await run(
      node.client,
      request("shaken", { clip: steady }, { checkpoint: checkpoint() }),
      ({ checkpointed }) => {
        if (checkpointed?.step === 4) process.kill(node.node.pool.slots[0]?.pid ?? 0, "SIGKILL");
      },
    );
    expect(last(lost)?.failed).toMatchObject({ code: "runner_lost", retryable: true });
    const saved = lost.events.findLast(({ checkpointed }) => checkpointed)?.checkpointed;
    await waitFor(node.node, "NODE_HEALTH_READY");
    const state = { get_url: `${node.store.origin}/state`, get_sha256: sha256(object("state")) };
    const resumed = await run(
      node.client,
      request("shaken", { clip: steady }, { fence: 2, attempt: 2, checkpoint: checkpoint(state) }),
    );
    const accepted = resumed.events.find(({ accepted }) => accepted)?.accepted;
    expect(accepted?.resumed_step).toBeGreaterThanOrEqual(saved?.step ?? 99);
    expect(last(resumed)?.event).toBe("succeeded");
    expect(frames("shaken")).toBe(frames("steady"));
  });

  test("a damaged state, or one of other settings, costs a fresh start, not the job", async () => {
    const state = { get_url: `${node.store.origin}/state` };
    const damaged = await run(
      node.client,
      request("damaged", { clip }, { checkpoint: checkpoint({ ...state, get_sha256: "0".repeat(64) }) }),
    );
    expect(damaged.events.some(({ log }) => log?.message.includes("SHA-256"))).toBe(true);
    expect(last(damaged)?.event).toBe("succeeded");
    const foreign = await run(
      node.client,
      request("foreign", { clip: { ...clip, seed: 7 } }, { checkpoint: checkpoint(state) }),
    );
    expect(foreign.events.some(({ log }) => log?.message.includes("other settings"))).toBe(true);
    expect(foreign.events.find(({ accepted }) => accepted)?.accepted?.resumed_step).toBe(0);
  });
});

describe("uploads", () => {
  test("a store that stumbles is asked again", async () => {
    let failures = 1;
    node.store.refuse = (name) => (name.endsWith("clip.gif") && failures-- > 0 ? 503 : undefined);
    expect(last(await run(node.client, request("stumble", { clip })))?.event).toBe("succeeded");
  });
  test("a store that refuses fails the attempt with the artefact's name, never with its URL", async () => {
    node.store.refuse = (name) => (name.endsWith("clip.gif") ? 403 : undefined);
    const failed = last(await run(node.client, request("refused", { clip })))?.failed;
    node.store.refuse = () => undefined;
    expect(failed).toMatchObject({ code: "upload_failed", retryable: true });
    expect(failed?.message).toBe("clip.gif: the store answered 403");
  });
});
