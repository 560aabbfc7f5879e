import { afterAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { start } from "../src/main.ts";
import { serveHere, sleep, startHarness } from "./harness.ts";
import { playThrough } from "./scripted-node.ts";

const h = await startHarness({
  env: { CARTOON_MAX_BODY_BYTES: "8192", CARTOON_CORS_ORIGINS: "https://example.com" },
});
afterAll(() => h.stop());

const render = { prompt: "temo waves", seed: 5 };
/** Every event of a render that ends. */
async function sseEvents(path: string): Promise<{ type: string; data: Record<string, unknown> }[]> {
  const text = await (await fetch(h.url + path)).text();
  const blocks = text.split("\n\n").filter((block) => block.includes("data: "));
  return blocks.map((block) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
    return { type: field("event"), data: JSON.parse(field("data")) };
  });
}
const post = (body: unknown, headers: Record<string, string> = {}) =>
  h.call("POST", "/v1/renders", body, headers);

describe("what is not right is refused by name", () => {
  test.each([
    [{}, "#"],
    [{ prompt: "x", wings: 2 }, "#/wings"],
    [{ prompt: "x", clip: { wide: 1 } }, "#/clip/wide"],
    [{ prompt: "x", clip: { width: 9 } }, "#/clip/width"],
    [{ prompt: "x", clip: { prompt: "y" } }, "#/prompt"],
    [{ prompt: "x", characters: ["garfield"] }, "#/characters/0"],
    [{ prompt: "x", characters: ["temo", "temo"] }, "#/characters/1"],
    [{ prompt: "x", characters: [{ name: "temo", weight: 3 }] }, "#/characters/0/weight"],
    [{ prompt: "x", clip: { scheduler: "magic" } }, "#/clip/scheduler"],
    [{ prompt: "x", output: { fit: "stretch" } }, "#/output/fit"],
    [{ prompt: "bad \u0000 control" }, "#/prompt"],
    [{ dialogue: "[S1]" }, "#/dialogue"],
    [{ dialogue: "[S1] Hello", speech: { lines: [{ speaker: "S1", text: "x" }] } }, "#/dialogue"],
    [{ prompt: "x", speech: { top_k: 5 } }, "#/dialogue"],
    [{ prompt: "x", seed: -1 }, "#/seed"],
    [{ prompt: "x", pack: "nope" }, "#/pack"],
    [{ prompt: "x", metadata: { a: 5 } }, "#/metadata/a"],
    [[1, 2], "#"],
    ["null", "#"],
  ])("%j", async (body, pointer) => {
    const answer = await post(body);
    expect([answer.status, answer.body.code]).toEqual([422, "validation_failed"]);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
    expect(answer.body.instance).toBe(answer.headers.get("x-request-id"));
  });

  test("messages say what is allowed", async () => {
    const { body } = await post({ prompt: "x", output: { fit: "stretch" } });
    expect(body.detail).toContain("pingpong");
    expect((await post({ prompt: "x", characters: ["garfield"] })).body.detail).toContain("temo, felfel");
  });

  test("bodies that are no JSON, too large, of another type or packed", async () => {
    expect((await post("{oops")).body.code).toBe("invalid_json");
    expect((await post(`${"[".repeat(4000)}`)).body.code).toBe("invalid_json");
    expect((await post(`${"[".repeat(2000)}${"]".repeat(2000)}`)).status).toBe(422);
    expect((await post(JSON.stringify({ prompt: "x".repeat(9000) }))).body.code).toBe("too_large");
    expect((await post("prompt=x", { "content-type": "application/x-www-form-urlencoded" })).body.code).toBe(
      "unsupported_media_type",
    );
    expect((await post("x", { "content-encoding": "gzip" })).body.code).toBe("unsupported_media_type");
    expect((await post('{"__proto__": {"prompt": "x"}, "prompt": "y"}')).status).toBe(422);
  });

  test("paths that lead nowhere", async () => {
    expect((await h.call("GET", "/nothing/here")).body.code).toBe("not_found");
    expect((await h.call("GET", "/v1/renders/job_none")).body.code).toBe("not_found");
    expect((await h.call("GET", "/v1/renders?limit=0")).body.errors[0].parameter).toBe("limit");
    expect((await h.call("GET", "/v1/renders?cursor=%21")).status).toBe(400);
  });
});

describe("idempotency", () => {
  test("the same key and body give the same render, another body is refused", async () => {
    const key = { "idempotency-key": '"abc-1"' };
    const [one, two, three] = [
      await post(render, key),
      await post(render, key),
      await post({ ...render, seed: 6 }, key),
    ];
    expect([one.status, two.status, three.status]).toEqual([202, 200, 422]);
    expect(two.body.id).toBe(one.body.id);
    expect(three.body.code).toBe("idempotency_mismatch");
    // Without a seed each gets a random one, and yet it is the same request.
    const free = { "idempotency-key": "free" };
    expect((await post({ prompt: "x" }, free)).body.id).toBe((await post({ prompt: "x" }, free)).body.id);
    expect((await post(render, { "idempotency-key": "two words" })).body.code).toBe(
      "invalid_idempotency_key",
    );
  });

  test("at once", async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, () => post(render, { "idempotency-key": "race" })),
    );
    expect(new Set(all.map(({ body }) => body.id)).size).toBe(1);
    expect(all.filter(({ status }) => status === 202)).toHaveLength(1);
  });
});

describe("many renders", () => {
  test("in one request, each by itself", async () => {
    const { status, body } = await h.call("POST", "/v1/renders/batch", {
      renders: [render, { prompt: "x", characters: ["garfield"] }, { ...render, priority: "high" }],
    });
    expect(status).toBe(207);
    expect(body.renders[0].status).toBe("queued");
    expect(body.renders[1].problem.code).toBe("validation_failed");
    expect(body.renders[2].priority).toBe("high");
  });

  test("are listed in pages, newest first", async () => {
    const seen: string[] = [];
    let cursor = "";
    do {
      const { body } = await h.call("GET", `/v1/renders?limit=3${cursor && `&cursor=${cursor}`}`);
      seen.push(...body.renders.map(({ id }: { id: string }) => id));
      cursor = body.next_cursor ?? "";
    } while (cursor);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBeGreaterThan(3);
  });
});

test("estimates come from measured history, deadlines are checked against them", async () => {
  const script = h.node.script;
  h.node.script = playThrough({ gpuMemory: 9_876_543_210 });
  const { body } = await post({ prompt: "felfel runs" });
  await h.finished(body.id);
  h.node.script = script;
  const estimate = (await h.call("POST", "/v1/estimate", render)).body;
  expect(estimate.finishes_in_seconds).toBeGreaterThan(0);
  expect(estimate).toMatchObject({ position: 0, vram_bytes: 9_876_543_210 });
  expect((await h.call("GET", `/v1/renders/${body.id}/estimate`)).body.position).toBe(0);
  const big = { ...render, clip: { width: 2048, height: 2048, num_frames: 1024, num_inference_steps: 200 } };
  expect((await post({ ...big, deadline_seconds: 1 })).body.code).toBe("deadline_unreachable");
});

test("a manifest's spec, submitted again, is the same render", async () => {
  const { body } = await post({ prompt: "felfel runs", dialogue: "[S2] Felfel: Run!" });
  const done = await h.finished(body.id);
  const manifest = await h.call("GET", `/v1/renders/${body.id}/manifest`);
  expect(manifest.body.spec.clip.prompt).toBe("felfel runs");
  const again = await post(done.spec);
  expect(again.status).toBe(202);
  expect(again.body.spec).toEqual(done.spec);
});

test("results redirect to a URL signed just now", async () => {
  const { body } = await post(render);
  await h.finished(body.id);
  const answer = await h.call("GET", `/v1/renders/${body.id}/results/clip.mp4?download=1`);
  expect(answer.status).toBe(302);
  const file = await fetch(answer.headers.get("location") ?? "");
  expect(file.headers.get("content-disposition")).toContain("clip.mp4");
  await file.body?.cancel();
  expect((await h.call("GET", `/v1/renders/${body.id}/results/speech.wav`)).status).toBe(404);
});

test("the preview is there while it runs", async () => {
  h.node.script = playThrough({ steps: 50, stepMs: 10 });
  const { body } = await post(render);
  let preview = await h.call("GET", `/v1/renders/${body.id}/preview`);
  for (; preview.status === 409; preview = await h.call("GET", `/v1/renders/${body.id}/preview`))
    await sleep(10);
  expect([preview.status, preview.headers.get("content-type")]).toEqual([200, "image/webp"]);
  expect(preview.body).toMatch(/^preview/);
  await h.call("POST", `/v1/renders/${body.id}/cancel?wait=10`);
  h.node.script = playThrough();
});

test("finished sentences can be listened to while the rest is made", async () => {
  const { promise: heard, resolve: go } = Promise.withResolvers<void>();
  h.node.script = playThrough({
    speechParts: [Buffer.from("part 0"), Buffer.from("part 1")],
    meanwhile: heard,
  });
  const { body } = await post(render);
  const part = (n: number) => h.call("GET", `/v1/renders/${body.id}/preview/speech/${n}`);
  let second = await part(1);
  for (; second.status === 409; second = await part(1)) await sleep(10);
  expect([second.status, second.headers.get("content-type")]).toEqual([200, "audio/wav"]);
  expect([second.body, (await part(0)).body]).toEqual(["part 1", "part 0"]);
  expect((await part(2)).status).toBe(409);
  go();
  const events = await sseEvents(`/v1/renders/${body.id}/events`);
  const previews = events.filter(({ type, data }) => type === "preview" && data.content_type === "audio/wav");
  expect(previews.map(({ data }) => data)).toMatchObject([
    { part: 0, chunk: 0, attempt: 0, start_seconds: 0, seconds: 1.5, last: false },
    { part: 1, chunk: 1, attempt: 0, start_seconds: 1.5, seconds: 1.5, last: true },
  ]);
  const spoken = events.filter(({ type, data }) => type === "progress" && data.stage === "speech");
  expect(spoken.map(({ data }) => data.speech_seconds)).toEqual([0, 1.5]);
  expect(spoken[0]?.data.speech_seconds_expected).toBe(3);
  // What was a preview is gone with the job's end: the results have it all.
  expect((await part(0)).status).toBe(409);
  h.node.script = playThrough();
});

describe("events", () => {
  test("go on from Last-Event-ID after the edge has restarted", async () => {
    const env = {
      CARTOON_DATA_DIR: `${h.dataDir}/again`,
      PORT: "0",
      CARTOON_NODES: h.node.address,
      CARTOON_QUIET: "1",
    };
    const one = await start({ env, serve: serveHere });
    while ((await fetch(`${one.url}/v1/characters`)).status !== 200) await sleep(10);
    const made = await fetch(`${one.url}/v1/renders`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(render),
    });
    const { id } = (await made.json()) as { id: string };
    const before = await (await fetch(`${one.url}/v1/renders/${id}/events`)).text();
    await one.stop(0);
    const two = await start({ env, serve: serveHere });
    const after = await (
      await fetch(`${two.url}/v1/renders/${id}/events`, { headers: { "last-event-id": "4" } })
    ).text();
    expect(after.slice(after.indexOf("id: "))).toBe(before.slice(before.indexOf("id: 5\n")));
    await two.stop(0);
  });

  test("end when the client goes, without a trace", async () => {
    h.node.script = playThrough({ steps: 100, stepMs: 10 });
    const { body } = await post(render);
    const gone = new AbortController();
    const stream = await fetch(`${h.url}/v1/renders/${body.id}/events`, { signal: gone.signal });
    await stream.body?.getReader().read();
    gone.abort();
    expect((await h.call("POST", `/v1/renders/${body.id}/cancel?wait=10`)).body.status).toBe("canceled");
    h.node.script = playThrough();
  });
});

describe("the surroundings", () => {
  test("security headers, CORS, request ids", async () => {
    const { headers } = await h.call("GET", "/health", undefined, {
      "x-request-id": "my-own-request",
      origin: "https://example.com",
    });
    expect(headers.get("x-request-id")).toBe("my-own-request");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toContain("default-src 'self'");
    expect(headers.get("access-control-allow-origin")).toBe("https://example.com");
    const other = await h.call("GET", "/health", undefined, {
      origin: "https://evil.example",
      "x-request-id": "a b",
    });
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
    expect(other.headers.get("x-request-id")).toMatch(/^req_/);
  });

  test("docs come from our own files, without an inline script", async () => {
    const page = (await h.call("GET", "/docs")).body as string;
    expect(page).not.toMatch(/https?:\/\//);
    for (const [, path] of page.matchAll(/(?:src|href)="([^"]+)"/g))
      expect([path, (await h.call("GET", path ?? "")).status]).toEqual([path, 200]);
    expect(page).not.toMatch(/<script>/);
    const { body } = await h.call("GET", "/openapi.json");
    expect(body.openapi).toBe("3.1.0");
    for (const path of ["/v1/renders", "/v1/renders/{id}/events", "/api/combined", "/v1/estimate", "/health"])
      expect(Object.keys(body.paths)).toContain(path);
    expect((await h.call("GET", "/docs/errors")).body).toContain("validation_failed");
  });

  test("probes", async () => {
    expect((await h.call("GET", "/livez")).status).toBe(200);
    expect((await h.call("GET", "/readyz")).status).toBe(200);
    expect((await h.call("GET", "/health")).body).toMatchObject({
      status: "ok",
      database: "ok",
      store: "ok",
    });
  });

  test("a flood of headers does no harm", async () => {
    const { hostname, port } = new URL(h.url);
    const socket = connect(Number(port), hostname);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => {});
    socket.on("data", () => {});
    socket.write("GET /health HTTP/1.1\r\nhost: x\r\n");
    for (let i = 0; i < 2000; i++) socket.write(`x-${i}: ${"y".repeat(200)}\r\n`);
    socket.end("\r\n");
    await closed;
    expect((await h.call("GET", "/livez")).status).toBe(200);
  });
});
