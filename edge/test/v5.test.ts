import { afterAll, describe, expect, test } from "bun:test";
import { sleep, startHarness } from "./harness.ts";
import { contentOf } from "./scripted-node.ts";

const h = await startHarness();
afterAll(() => h.stop());

const lastSpec = () => h.node.runs.at(-1)?.request.spec;
const text = (base64: string) => Buffer.from(base64, "base64").toString();

describe("the brief's own calls", () => {
  test("multi-character, combined", async () => {
    const { status, body } = await h.call("POST", "/api/combined", {
      characters: ["temo", "felfel"],
      prompt: "temo and felfel exploring alien planet together, epic adventure",
      dialogue_text: "[S1] Temo: Look at this incredible landscape! [S2] Felfel: Amazing discovery!",
      width: 1024,
      height: 1024,
      num_frames: 32,
    });
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual([
      "task_type",
      "gif",
      "mp4",
      "audio",
      "seed",
      "memory_usage",
      "generation_time",
      "id",
      "status",
      "urls",
      "warnings",
    ]);
    expect(body.task_type).toBe("combined");
    const request = h.node.runs.at(-1)?.request;
    if (!request) throw new Error("no run");
    expect(text(body.mp4)).toBe(Buffer.from(contentOf("clip.mp4", request)).toString());
    expect(text(body.gif)).toMatch(/^clip.gif/);
    expect(text(body.audio)).toMatch(/^speech.wav/);
    expect((await fetch(body.urls["clip.mp4"])).status).toBe(200);
    expect(request.spec?.speech?.lines).toEqual([
      { speaker: "temo", text: "Look at this incredible landscape!" },
      { speaker: "felfel", text: "Amazing discovery!" },
    ]);
    expect(request.spec?.clip).toMatchObject({
      width: 1024,
      height: 1024,
      num_frames: 32,
      fps: 16,
      guidance_scale: 12,
      num_inference_steps: 50,
    });
    expect(request.spec?.speech).toMatchObject({ max_new_tokens: 4096, guidance_scale: 5, top_k: 60 });
    expect(body.seed).toBeLessThanOrEqual(1_000_000);
    // The same id is valid on /v1.
    expect((await h.call("GET", `/v1/renders/${body.id}`)).body.status).toBe("succeeded");
  });

  test("single character, animation", async () => {
    const { status, body } = await h.call("POST", "/api/animation", {
      character: "temo",
      prompt: "temo character space walking with ultra HD detail",
      width: 1024,
      height: 1024,
      guidance_scale: 12.0,
      num_inference_steps: 50,
    });
    expect([status, body.task_type, body.audio]).toEqual([200, "animation", null]);
    expect(lastSpec()?.clip?.characters).toEqual([{ name: "temo", weight: 1 }]);
  });
});

describe("v5 manners", () => {
  test("clamps, and says so", async () => {
    const { body } = await h.call("POST", "/api/animation", {
      prompt: "temo",
      width: 4096,
      num_frames: "2",
      fps: 99,
      wings: 2,
      seed: 42,
    });
    expect(body.warnings).toContainEqual({
      field: "width",
      given: "4096",
      used: "1536",
      rule: "v6: 256 to 1536",
    });
    expect(body.warnings).toContainEqual({ field: "num_frames", given: "2", used: "4", rule: "v6: 4 to 48" });
    expect(body.warnings).toContainEqual({ field: "fps", given: "99", used: "24", rule: "v6: 4 to 24" });
    expect(body.warnings).toContainEqual({
      field: "wings",
      given: "2",
      used: "",
      rule: "unknown field, not used",
    });
    expect(body.seed).toBe(42);
  });

  test("v5's own contract on request", async () => {
    const { body } = await h.call("POST", "/api/animation?contract=v5", {
      character: "temo",
      prompt: "x".repeat(600),
    });
    expect(lastSpec()?.clip).toMatchObject({
      width: 512,
      height: 512,
      num_frames: 16,
      fps: 8,
      guidance_scale: 7.5,
    });
    expect(body.warnings).toContainEqual({
      field: "prompt",
      given: "600 letters",
      used: "500 letters",
      rule: "v5 REST: at most 500",
    });
  });

  test("in /api/tts the guidance goes by its old name", async () => {
    const { status, body } = await h.call("POST", "/api/tts", {
      dialogue_text: "[S1] Hello there!",
      guidance_scale: 4,
    });
    expect([status, body.gif, body.mp4]).toEqual([200, null, null]);
    expect(lastSpec()?.speech?.guidance_scale).toBe(4);
    expect(lastSpec()?.clip).toBeNull();
  });

  test("both under one word", async () => {
    await h.call("POST", "/api/animation", { character: "Both (Multi-Character)", prompt: "dancing" });
    expect(lastSpec()?.clip?.characters.map(({ name }) => name)).toEqual(["temo", "felfel"]);
  });

  test.each([
    ["/api/animation", {}, "prompt"],
    ["/api/animation", { prompt: "x", character: "garfield" }, "garfield"],
    ["/api/animation", { prompt: 5 }, "prompt"],
    ["/api/animation", { prompt: "x", width: "wide" }, "width"],
    ["/api/animation", [1], "object"],
    ["/api/tts", {}, "dialogue_text"],
    ["/api/tts", { dialogue_text: "[S1] [S2]" }, "dialogue"],
  ])("refuses %s %j", async (path, body, word) => {
    const answer = await h.call("POST", path, body);
    expect(answer.status).toBe(400);
    expect(answer.body.detail).toContain(word);
  });

  test("does not wait where asked not to", async () => {
    const { status, body } = await h.call(
      "POST",
      "/api/animation",
      { prompt: "temo" },
      { prefer: "respond-async" },
    );
    expect(status).toBe(202);
    expect((await h.finished(body.id)).status).toBe("succeeded");
  });

  test("a failed render is a 500 with the reason", async () => {
    const { script } = h.node;
    h.node.script = async (run) => {
      run.send({ accepted: { node_id: "scripted", device: "cpu", resumed_step: 0 } });
      run.send({ failed: { code: "out_of_memory", message: "no memory left", retryable: false } });
      run.end();
    };
    const { status, body } = await h.call("POST", "/api/animation", { prompt: "temo" });
    expect([status, body.detail]).toEqual([500, "no memory left"]);
    h.node.script = script;
  });

  test("the small GETs", async () => {
    expect((await h.call("GET", "/")).body.docs).toBe("/docs");
    expect(
      (await h.call("GET", "/api/characters")).body.characters.map((one: { name: string }) => one.name),
    ).toEqual(["temo", "felfel"]);
    expect((await h.call("GET", "/api/examples")).body.examples.length).toBeGreaterThan(2);
  });
});

test("without a node that could do it, a waiting call is a 503", async () => {
  h.node.setHealth("NODE_HEALTH_SETUP_FAILED");
  while ((await h.call("GET", "/health")).body.status === "ok") await sleep(5);
  const answer = await h.call("POST", "/api/animation", { prompt: "temo" });
  expect([answer.status, answer.body.code]).toEqual([503, "no_nodes"]);
  h.node.setHealth("NODE_HEALTH_READY");
});
