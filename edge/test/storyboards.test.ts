import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createKey, getStoryboard, openDatabase } from "@cartoon/db";
import type { StoryboardView } from "../src/storyboards/view.ts";
import { type Harness, sleep, startHarness } from "./harness.ts";
import { playThrough, type ScriptedRun } from "./scripted-node.ts";

let h: Harness;
beforeAll(async () => {
  h = await startHarness();
});
afterAll(() => h.stop());

const SHOTS = [
  { prompt: "temo waves", dialogue: "[S1] Temo: Hello!", transition: { type: "crossfade", seconds: 0.25 } },
  { prompt: "felfel reads", characters: ["felfel"], clip: { num_frames: 8 }, fit: "hold" },
  { prompt: "temo and felfel laugh", dialogue: "Temo: Ha! Felfel: Ha!", seed: 9 },
] as const;
const BOARD = { title: "A day", style: "at night", clip: { fps: 8 }, shots: SHOTS };

const ended = async (on: Harness, id: string): Promise<StoryboardView> => {
  for (;;) {
    const { body } = await on.call("GET", `/v1/storyboards/${id}?wait=30`);
    if (body.completed_at !== null) return body;
  }
};
const isJoin = (run: ScriptedRun) => run.request.spec?.join != null;
const joins = (on: Harness) => on.node.runs.filter(isJoin);

/** An edge as a process of its own, to be killed. */
function spawnEdge(env: Record<string, string>) {
  const entry = fileURLToPath(new URL("../src/entries/run.ts", import.meta.url));
  const args =
    "Deno" in globalThis
      ? ["run", "-A", entry.replace("run.ts", "deno.ts")]
      : [entry.replace("run.ts", "bun.ts")];
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: "ignore" });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return { kill: (signal: NodeJS.Signals) => child.kill(signal), exited };
}

describe("a storyboard", () => {
  test("is a render for each shot, and one clip of them all", async () => {
    const made = await h.call("POST", "/v1/storyboards", BOARD);
    expect(made.status).toBe(202);
    expect(made.headers.get("location")).toBe(`/v1/storyboards/${made.body.id}`);
    expect(made.body).toMatchObject({ title: "A day", shots_done: 0, results: [], stage: "shots" });
    const done = await ended(h, made.body.id);
    expect(done).toMatchObject({ status: "succeeded", progress: 1, shots_done: 3, stage: "", error: null });
    expect(done.results.map(({ name }) => name)).toEqual([
      "captions.vtt",
      "clip.gif",
      "clip.mp4",
      "manifest.json",
      "poster.png",
      "speech.wav",
    ]);
    expect(done.shots.map(({ prompt }) => prompt)).toEqual([
      ...["temo waves, at night", "felfel reads, at night", "temo and felfel laugh, at night"],
    ]);
    expect(done.shots.map(({ transition }) => transition)).toEqual([
      { type: "crossfade", seconds: 0.25 },
      { type: "cut", seconds: 0 },
      null,
    ]);
    const [first, second, third] = done.shots;
    expect([first?.seed, third?.seed]).toEqual([second?.seed, 9]);
    expect(second?.results.map(({ name }) => name)).toEqual(["clip.mp4", "manifest.json", "poster.png"]);

    const [join] = joins(h);
    expect(join?.request.spec?.join).toMatchObject({ width: 256, height: 256, fps: 8, spoken: true });
    expect(join?.request.inputs.map(({ shot, name }) => `${shot} ${name}`)).toEqual([
      ...["0 captions.vtt", "0 clip.mp4", "0 manifest.json", "0 speech.wav"],
      ...["1 clip.mp4", "1 manifest.json"],
      ...["2 captions.vtt", "2 clip.mp4", "2 manifest.json", "2 speech.wav"],
    ]);
    for (const { get_url, bytes } of join?.request.inputs ?? [])
      expect((await (await fetch(get_url)).arrayBuffer()).byteLength).toBe(bytes);
  });

  test("is a job that every way of reading jobs knows", async () => {
    const { id } = (await h.call("GET", "/v1/storyboards?limit=1")).body.storyboards[0];
    expect((await h.call("GET", `/v1/renders/${id}`)).body).toMatchObject({ id, status: "succeeded" });
    expect((await h.call("GET", `/v1/renders/${id}/results/clip.mp4`)).status).toBe(302);
    const shot = (await h.call("GET", `/v1/storyboards/${id}`)).body.shots[0];
    expect((await h.call("GET", `/v1/storyboards/${shot.id}`)).status).toBe(404);
    const events = await (await fetch(`${h.url}/v1/storyboards/${id}/events`)).text();
    const types = [...events.matchAll(/^event: (.*)$/gm)].map(([, type]) => type);
    expect(types.filter((type) => type === "shot")).toHaveLength(6);
    expect(types.slice(-2)).toEqual(["committing", "succeeded"]);
    const again = await fetch(`${h.url}/v1/storyboards/${id}/events`, { headers: { "last-event-id": "7" } });
    expect((await again.text()).includes("\nid: 7\n")).toBe(false);
  });

  test("tells its own webhook once; its shots tell nobody", async () => {
    const webhook = { url: "https://webhooks.invalid/board", events: ["succeeded"] };
    const { id, shots } = (await h.call("POST", "/v1/storyboards", { ...BOARD, webhook })).body;
    await ended(h, id);
    const of = async (job: string) =>
      (await h.call("GET", `/v1/webhooks/deliveries?render_id=${job}`)).body.deliveries.map(
        ({ event }: { event: string }) => event,
      );
    expect(await of(id)).toEqual(["succeeded"]);
    for (const shot of shots) expect(await of(shot.id)).toEqual([]);
  });

  test("takes the same key once", async () => {
    const headers = { "idempotency-key": '"board-1"' };
    const first = await h.call("POST", "/v1/storyboards", BOARD, headers);
    const second = await h.call("POST", "/v1/storyboards", BOARD, headers);
    expect([second.status, second.body.id]).toEqual([200, first.body.id]);
    const other = await h.call("POST", "/v1/storyboards", { ...BOARD, style: "at noon" }, headers);
    expect([other.status, other.body.code]).toEqual([422, "idempotency_mismatch"]);
    await ended(h, first.body.id);
  });

  test("is deleted with its shots and all that they made", async () => {
    const { id } = (await h.call("POST", "/v1/storyboards", BOARD)).body;
    const { shots } = await ended(h, id);
    const folders = [id, ...shots.map((shot) => shot.id)].map((one) => join(h.dataDir, "store/renders", one));
    expect(folders.map(existsSync)).toEqual([true, true, true, true]);
    expect((await h.call("DELETE", `/v1/renders/${shots[0]?.id}`)).status).toBe(409);
    expect((await h.call("DELETE", `/v1/storyboards/${id}`)).status).toBe(204);
    expect(folders.map(existsSync)).toEqual([false, false, false, false]);
    expect((await h.call("GET", `/v1/renders/${shots[0]?.id}`)).status).toBe(404);
  });
});

describe("what can't be a storyboard is refused with a pointer to the field", () => {
  const pointers = async (body: unknown) => {
    const answer = await h.call("POST", "/v1/storyboards", body);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([422, "application/problem+json"]);
    return answer.body.errors.map(({ pointer }: { pointer: string }) => pointer);
  };
  const shot = { prompt: "temo waves" };
  for (const [why, body, expected] of [
    ["no shots", { shots: [] }, "#/shots"],
    ["an unknown field", { shots: [shot], colour: "red" }, "#/colour"],
    ["an unknown field of a shot", { shots: [shot, { ...shot, colour: "red" }] }, "#/shots/1/colour"],
    ["a shot without a prompt", { shots: [shot, {}] }, "#/shots/1/prompt"],
    ["an unknown character", { shots: [shot, { ...shot, characters: ["bob"] }] }, "#/shots/1/characters/0"],
    ["one that all have in common", { shots: [shot], characters: ["bob"] }, "#/characters/0"],
    ["a dialogue of strangers", { shots: [{ ...shot, dialogue: "Bob: Hello!" }] }, "#/shots/0/dialogue"],
    ["an impossible size", { shots: [shot], clip: { width: 1 } }, "#/clip/width"],
    [
      "an impossible size of a shot",
      { shots: [shot, { ...shot, clip: { width: 1 } }] },
      "#/shots/1/clip/width",
    ],
    ["voice settings of a silent shot", { shots: [{ ...shot, speech: { top_k: 5 } }] }, "#/shots/0/dialogue"],
    [
      "a prompt that its style makes too long",
      { shots: [{ prompt: "x".repeat(1990) }], style: "y".repeat(20) },
      "#/shots/0/prompt",
    ],
    ["a transition after the end", { shots: [{ ...shot, transition: "cut" }] }, "#/shots/0/transition"],
    [
      "too long a cross-fade",
      { shots: [{ ...shot, transition: { type: "crossfade", seconds: 9 } }, shot] },
      "#/shots/0/transition/seconds",
    ],
    ["an unknown transition", { shots: [shot, shot], transition: "wipe" }, "#/transition"],
    ["an unknown pack", { shots: [shot], pack: "huge" }, "#/pack"],
    ["an unknown destination", { shots: [shot], destination: "moon" }, "#/destination"],
  ] as const)
    test(why, async () => expect(await pointers(body)).toContain(expected));

  test("and leaves nothing behind", async () => {
    const before = (await h.call("GET", "/v1/renders?limit=200")).body.renders.length;
    await pointers({ shots: [shot, { ...shot, characters: ["bob"] }] });
    expect((await h.call("GET", "/v1/renders?limit=200")).body.renders).toHaveLength(before);
  });
});

describe("what goes wrong", () => {
  test("a failed shot is named, and made again alone", async () => {
    let broken = true;
    const play = playThrough();
    const on = await startHarness({
      script: async (run) => {
        if (broken && run.request.spec?.clip?.prompt.startsWith("felfel")) throw new Error("no colour left");
        await play(run);
      },
    });
    try {
      const { id } = (await on.call("POST", "/v1/storyboards", BOARD)).body;
      const failed = await ended(on, id);
      expect(failed).toMatchObject({ status: "failed", shots_done: 2, error: { code: "shot_failed" } });
      const [, second] = failed.shots;
      expect(failed.error?.message).toBe(`shot 2 of 3 (${second?.id}) failed: Error: no colour left`);
      expect(second).toMatchObject({ status: "failed", error: { code: "internal" } });
      broken = false;
      const runs = on.node.runs.length;
      expect((await on.call("POST", `/v1/storyboards/${id}/retry`)).body.status).toBe("running");
      expect(await ended(on, id)).toMatchObject({ status: "succeeded", shots_done: 3 });
      expect(on.node.runs.slice(runs).map(({ request }) => request.job_id)).toEqual([second?.id ?? "", id]);
      expect((await on.call("POST", `/v1/storyboards/${id}/retry`)).status).toBe(409);
    } finally {
      await on.stop();
    }
  });

  test("cancel reaches every shot", async () => {
    const on = await startHarness({ script: playThrough({ steps: 1_000, stepMs: 10 }), permits: 2 });
    try {
      const { id } = (await on.call("POST", "/v1/storyboards", BOARD)).body;
      for (let view = { shots: [] as { status: string }[] }; ; ) {
        view = (await on.call("GET", `/v1/storyboards/${id}`)).body;
        if (view.shots.filter(({ status }) => status === "running").length === 2) break;
        await sleep(20);
      }
      const running = (await on.call("GET", `/v1/storyboards/${id}`)).body;
      expect(running).toMatchObject({ status: "running", stage: "shots" });
      const canceled = await on.call("POST", `/v1/storyboards/${id}/cancel?wait=20`);
      expect([canceled.status, canceled.body.status]).toEqual([200, "canceled"]);
      expect(canceled.body.shots.map(({ status }: { status: string }) => status)).toEqual(
        Array(3).fill("canceled"),
      );
      expect(on.node.runs.every(({ stopAsked }) => stopAsked)).toBe(true);
    } finally {
      await on.stop();
    }
  });

  test("another tenant sees neither storyboard nor shots", async () => {
    const on = await startHarness({ env: { CARTOON_AUTH: "keys" } });
    try {
      const db = await openDatabase(join(on.dataDir, "cartoon.db"));
      const keys = await Promise.all(
        ["alice", "bob"].map((tenant) => createKey(db, { tenant, name: tenant })),
      );
      await db.close();
      const [alice, bob] = keys.map(({ token }) => ({ authorization: `Bearer ${token}` }));
      const { id, shots } = (await on.call("POST", "/v1/storyboards", BOARD, alice)).body;
      for (const [method, path] of [
        ["GET", `/v1/storyboards/${id}`],
        ["GET", `/v1/storyboards/${id}/events`],
        ["POST", `/v1/storyboards/${id}/cancel`],
        ["POST", `/v1/storyboards/${id}/retry`],
        ["DELETE", `/v1/storyboards/${id}`],
        ["GET", `/v1/renders/${shots[0].id}`],
      ] as const) {
        expect([path, (await on.call(method, path, undefined, bob)).status]).toEqual([path, 404]);
        expect((await on.call(method, path)).status).toBe(401);
      }
      expect((await on.call("GET", "/v1/storyboards", undefined, bob)).body.storyboards).toEqual([]);
      expect((await on.call("GET", "/v1/storyboards", undefined, alice)).body.storyboards).toHaveLength(1);
    } finally {
      await on.stop();
    }
  });

  test("no death of an edge, at whatever moment, costs a storyboard", async () => {
    const on = await startHarness({ script: playThrough({ steps: 6, stepMs: 20 }), permits: 1 });
    // The first edge only takes the storyboard; others do the work and are killed at it.
    on.node.setHealth("NODE_HEALTH_STARTING");
    const { id } = (await on.call("POST", "/v1/storyboards", BOARD)).body;
    await on.edge.stop(0);
    on.node.setHealth("NODE_HEALTH_READY");
    const env = {
      CARTOON_DATA_DIR: on.dataDir,
      PORT: "0",
      CARTOON_NODES: on.node.address,
      CARTOON_NODE_REST_SECONDS: "1",
      CARTOON_LEASE_SECONDS: "1",
      CARTOON_QUIET: "1",
    };
    const db = await openDatabase(join(on.dataDir, "cartoon.db"));
    try {
      let status = "";
      for (let i = 0; status !== "succeeded" && i < 20; i++) {
        const edge = spawnEdge(env);
        for (let waited = 0; waited < 1_200 + i * 200 && status !== "succeeded"; waited += 50) {
          await sleep(50);
          status = (await getStoryboard(db, { operator: true }, id)).board.status;
        }
        edge.kill("SIGKILL");
        await edge.exited;
      }
      expect(status).toBe("succeeded");
      const { board, shots } = await getStoryboard(db, { operator: true }, id);
      expect(board.results).toHaveLength(6);
      expect(shots.map(({ status }) => status)).toEqual(Array(3).fill("succeeded"));
    } finally {
      await db.close();
      await on.stop();
    }
  }, 120_000);
});
