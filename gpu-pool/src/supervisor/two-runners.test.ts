import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
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

let shared: TestNode;
let apart: TestNode;
beforeAll(async () => {
  shared = await startTestNode();
  apart = await startTestNode({ CARTOON_VOICE_PROCESS: "own" });
  await Promise.all([shared.ready(), apart.ready()]);
});
afterAll(async () => {
  await shared.close();
  await apart.close();
});

const longClip = { ...clip, num_frames: 32, num_inference_steps: 50 };
const longSpeech = { ...speech, lines: Array.from({ length: 6 }, () => speech.lines).flat() };
const both = (node: TestNode, job_id: string, spec: object) =>
  run(node.client, runRequest(node.store, spec, { job_id }));

test("a voice of its own process changes no byte of the result, and both stages are on the receipt", async () => {
  expect(apart.node.pool.slots[0]?.lanes).toHaveLength(2);
  for (const [name, spec] of Object.entries({
    plain: { clip, speech },
    extended: { clip: { ...clip, num_frames: 2, fps: 60 }, speech, output: { ...output, fit: "extend" } },
    focused: { clip: { ...clip, speaker_focus: 1 }, speech },
    silent: { clip },
    spoken: { speech },
  })) {
    const one = await both(shared, name, spec);
    const two = await both(apart, name, spec);
    expect([name, last(one)?.event, last(two)?.event]).toEqual([name, "succeeded", "succeeded"]);
    const stages = (outcome: typeof one) =>
      last(outcome)
        ?.succeeded?.receipt?.stages.map(({ stage }) => stage)
        .sort();
    expect(stages(two)).toEqual(stages(one));
    for (const file of ["clip.mp4", "clip.gif", "speech.wav"]) {
      expect(apart.store.objects.get(`${name}/${file}`)).toEqual(
        shared.store.objects.get(`${name}/${file}`) as Uint8Array,
      );
    }
  }
});

test("a voice that dies takes the job along, not the runner that draws", async () => {
  const [drawing, speaking] = apart.node.pool.slots[0]?.lanes ?? [];
  const pid = drawing?.pid;
  const lost = await run(
    apart.client,
    runRequest(apart.store, { clip: longClip, speech: longSpeech }, { job_id: "dies" }),
    ({ progress }) => {
      if (progress?.stage === "speech" && speaking?.pid) process.kill(speaking.pid, "SIGKILL");
    },
  );
  expect(last(lost)?.failed).toMatchObject({ code: "runner_lost", retryable: true });
  await waitFor(apart.node, "NODE_HEALTH_READY");
  expect(drawing?.pid).toBe(pid as number);
  expect(last(await both(apart, "after", { clip, speech }))?.event).toBe("succeeded");
});

test("stopping reaches both", async () => {
  const outcome = await run(
    apart.client,
    runRequest(apart.store, { clip: longClip, speech }, { job_id: "stop" }),
    ({ progress }) => {
      if (progress?.step === 2) apart.client.stop({ job_id: "stop", fence: 1 }, () => {});
    },
  );
  expect(last(outcome)?.canceled?.receipt?.steps_done).toBeGreaterThanOrEqual(2);
  expect(apart.node.pool.status().health).toBe("NODE_HEALTH_READY");
});

for (const fit of ["pingpong", "extend"] as const)
  test(`so does a stop that wants a clip of what there is, with the fit ${fit}`, async () => {
    const job_id = `partly-${fit}`;
    const put_url = `${apart.store.origin}/${job_id}/partial.mp4`;
    const partial_uploads = [{ name: "clip.mp4", put_url, content_type: "", headers: {} }];
    const spec = { clip: longClip, speech, output: { ...output, fit } };
    const outcome = await run(
      apart.client,
      runRequest(apart.store, spec, { job_id, partial_uploads }),
      ({ progress }) => {
        if (progress?.step === 2) apart.client.stop({ job_id, fence: 1, partial: true }, () => {});
      },
    );
    expect(last(outcome)?.canceled?.artefacts.map(({ name }) => name)).toEqual(["clip.mp4"]);
    expect(apart.node.pool.status().health).toBe("NODE_HEALTH_READY");
  });

test("jobs that only speak go beside one another and beside a clip, and come out as alone", async () => {
  const dialogue = (seed: number) => ({
    speech: { ...speech, seed, lines: [...speech.lines, ...speech.lines] },
  });
  const seeds = [1, 2, 3];
  for (const seed of seeds) await both(shared, `alone-${seed}`, dialogue(seed));
  expect(apart.node.pool.status()).toMatchObject({
    permits_free: 1,
    speech_permits_total: 4,
    speech_permits_free: 4,
  });
  expect(shared.node.pool.status().speech_permits_total).toBe(0);
  const drawn = both(apart, "drawn", { clip: longClip, speech });
  const spoken = await Promise.all(seeds.map((seed) => both(apart, `beside-${seed}`, dialogue(seed))));
  expect(spoken.map((outcome) => last(outcome)?.event)).toEqual(["succeeded", "succeeded", "succeeded"]);
  expect(last(await drawn)?.event).toBe("succeeded");
  for (const seed of seeds) {
    const alone = shared.store.objects.get(`alone-${seed}/speech.wav`) as Uint8Array;
    expect(apart.store.objects.get(`beside-${seed}/speech.wav`)).toEqual(alone);
  }
  expect(apart.node.pool.status()).toMatchObject({ permits_free: 1, speech_permits_free: 4 });
});

test("one that is stopped leaves those beside it alone; when all places are taken, a job waits for a permit", async () => {
  const long = { speech: { ...speech, lines: Array.from({ length: 40 }, () => speech.lines).flat() } };
  const stopped = run(apart.client, runRequest(apart.store, long, { job_id: "stopped" }), ({ preview }) => {
    if (preview?.step === 0) apart.client.stop({ job_id: "stopped", fence: 1 }, () => {});
  });
  const kept = await Promise.all(
    ["kept-1", "kept-2", "kept-3", "kept-4"].map((job) => both(apart, job, { speech })),
  );
  expect(last(await stopped)?.event).toBe("canceled");
  expect(kept.map((outcome) => last(outcome)?.event)).toEqual(new Array(4).fill("succeeded"));
});
