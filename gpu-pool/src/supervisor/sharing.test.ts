import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  clip,
  last,
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
  node = await startTestNode({ CARTOON_DEVICES: "cpu,cpu", CARTOON_SHARE_JOBS: "on" });
  await node.ready();
  while (node.node.pool.status().permits_free < 2) await Bun.sleep(20);
});
afterAll(() => node.close());

const FILES = ["clip.mp4", "clip.gif", "poster.png"];
const windows = { context: { window: 4, overlap: 1, schedule: "uniform" as const } };
const long = { ...clip, num_frames: 16, num_inference_steps: 24 };

const draw = (job_id: string, spec: object, onEvent?: Parameters<typeof run>[2]) =>
  run(node.client, runRequest(node.store, spec, { job_id }), onEvent);

/** Passes that the other runner did. */
function taken({ events }: Awaited<ReturnType<typeof draw>>): number {
  const told = events.map(({ log }) => /^(\d+) passes were done on another device/.exec(log?.message ?? ""));
  return told.reduce((sum, match) => sum + Number(match?.[1] ?? 0), 0);
}

function bytesOf(job: string) {
  const files = FILES.map((file) => node.store.objects.get(`${job}/${file}`));
  expect(files.every((bytes) => bytes && bytes.length > 100)).toBe(true);
  return files.map((bytes) => Bun.hash(bytes ?? ""));
}

/** Draws on one runner: the other one is taken. */
async function alone(job: string, spec: object) {
  const other = node.node.pool.slots[1];
  expect(other?.take()).toBe(true);
  const outcome = await draw(job, spec);
  other?.release();
  expect([last(outcome)?.event, taken(outcome)]).toEqual(["succeeded", 0]);
  return bytesOf(job);
}

test.each([
  ["guidance halves", { clip }],
  ["halves of context windows", { clip: { ...clip, ...windows, num_frames: 10 } }],
  ["context windows without guidance", { clip: { ...clip, ...windows, num_frames: 10, guidance_scale: 1 } }],
  ["regions", { clip: { ...clip, blend: "regional" } }],
  ["a picture that follows the speech", { clip: { ...clip, speaker_focus: 1 }, speech }],
])("%s on two runners: the same bytes as on one", async (name, spec) => {
  const job = name.replaceAll(" ", "-");
  const one = await alone(`one-${job}`, spec);
  const outcome = await draw(`two-${job}`, spec);
  expect(last(outcome)?.event).toBe("succeeded");
  expect(taken(outcome)).toBeGreaterThan(3);
  expect(bytesOf(`two-${job}`)).toEqual(one);
});

test("a partner that dies: the job goes on alone, with the same bytes", async () => {
  const one = await alone("one", { clip: long });
  const pid = node.node.pool.slots[1]?.pid;
  const outcome = await draw("dies", { clip: long }, ({ progress }) => {
    if (progress?.step === 8 && pid) process.kill(pid, "SIGKILL");
  });
  expect(last(outcome)?.event).toBe("succeeded");
  expect(taken(outcome)).toBeGreaterThan(2);
  expect(bytesOf("dies")).toEqual(one);
  await waitFor(node.node, "NODE_HEALTH_READY");
  while (node.node.pool.status().permits_free < 2) await Bun.sleep(20);
});

test("a partner that gets a job of its own: both are drawn, with the same bytes; then it helps again", async () => {
  const one = await alone("before", { clip: long });
  let second: ReturnType<typeof draw> | undefined;
  const first = await draw("first", { clip: long }, ({ progress }) => {
    if (progress?.step === 6) second ??= draw("second", { clip });
  });
  expect([last(first)?.event, last((await second) ?? { events: [] })?.event]).toEqual([
    "succeeded",
    "succeeded",
  ]);
  expect(bytesOf("first")).toEqual(one);
  expect(bytesOf("second")).toEqual(await alone("second-alone", { clip }));
  expect(taken(await draw("again", { clip }))).toBeGreaterThan(2);
});
