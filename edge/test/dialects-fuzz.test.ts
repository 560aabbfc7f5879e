import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { createApp } from "../src/app.ts";
import { V6 } from "../src/dialects/shared/v5-input/contract.ts";
import { parseEnv } from "../src/env.ts";
import { createNodeToken } from "../src/nodes/token.ts";
import { openServices } from "../src/open-services.ts";
import { anything, CASES, fields, plausible } from "./arbitraries.ts";
import { sleep } from "./harness.ts";
import { ScriptedNode } from "./scripted-node.ts";

const HANG_MS = 10_000;

// A whole edge without its socket; nothing is dispatched, and one waiting job is all that fits.
const node = new ScriptedNode();
await node.start();
const dataDir = await mkdtemp(join(tmpdir(), "cartoon-fuzz-"));
const stopping = new AbortController();
const { services, close } = await openServices(
  parseEnv({
    CARTOON_DATA_DIR: dataDir,
    CARTOON_NODES: node.address,
    CARTOON_MAX_QUEUED: "1",
    CARTOON_SYNC_WAIT_SECONDS: "1",
    CARTOON_QUIET: "1",
  }),
  stopping.signal,
  () => "http://127.0.0.1",
);
while (!services.nodes.nodes.some((one) => one.isServing)) await sleep(5);
const app = createApp(services);
afterAll(async () => {
  stopping.abort();
  await close();
  node.kill();
  await rm(dataDir, { recursive: true, force: true });
});

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
type Body = any;
interface Way {
  method?: "POST" | "PUT";
  paths: readonly string[];
  body: fc.Arbitrary<unknown>;
  headers?: Record<string, string>;
  /** Its refusals of fields are 400s, too. */
  saysAll?: true;
  /** What in a refusal names the field. */
  named: (body: Body) => unknown;
}

/** Mostly what was meant, now and then anything. */
const mostly = (meant: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 12, arbitrary: meant }, { weight: 1, arbitrary: anything });
const words = mostly(fc.constantFrom("temo waves", "felfel and temo on the moon"));
const spoken = mostly(fc.constantFrom("[S1] Hi there", "Temo: Hello!\nFelfel: Hi!"));
const who = mostly(fc.oneof(fc.constantFrom("temo", "felfel", "both"), fc.subarray(["temo", "felfel"])));
const numbers = fc.record(
  Object.fromEntries(
    Object.entries(V6.numbers).map(([name, { min, max }]) => [
      name,
      mostly(fc.double({ min, max, noNaN: true }).map((value) => (max > 3 ? Math.round(value) : value))),
    ]),
  ),
  { requiredKeys: [] },
);
/** What v5, RunPod, Cog and fal take as input. */
const v5Input = mostly(
  fc
    .tuple(
      numbers,
      fc.record(
        {
          prompt: words,
          dialogue_text: spoken,
          character: who,
          seed: mostly(fc.nat()),
          task_type: mostly(fc.constantFrom("animation", "tts", "combined")),
          extra: anything,
        },
        { requiredKeys: ["prompt"] },
      ),
    )
    .map(([given, rest]) => ({ ...given, ...rest })),
);
const url = fc.oneof(
  fc.constantFrom("https://example.com/hook", "http://127.0.0.1/x", "file:///etc/passwd"),
  anything,
);
const detail = (body: Body) => body.detail ?? body.error;
/** `field: what is wrong`, or that it is no JSON at all. */
const inWords = (text: unknown) => /^(the body is not|[\w#/.[\] -]+: .)/.test(String(text));
const pointers = (body: Body) =>
  body.errors?.length > 0 &&
  body.errors.every((one: Body) => /^#|^[a-z_-]+$/i.test(one.pointer ?? one.parameter ?? ""));
const locations = (body: Body) =>
  Array.isArray(body.detail) ? body.detail.every((one: Body) => one.loc?.length > 0 && one.msg) : body.detail;
/** A native request, mostly a good one. */
const native = fc.oneof(
  { weight: 2, arbitrary: plausible },
  {
    weight: 1,
    arbitrary: fc.record(
      {
        prompt: words,
        dialogue: spoken,
        seed: mostly(fc.nat()),
        priority: mostly(fc.constantFrom("low", "normal", "high")),
        clip: mostly(fc.record({ num_frames: mostly(fc.integer({ min: 1, max: 64 })) })),
        output: mostly(fc.record({ formats: mostly(fc.subarray(["mp4", "gif", "wav"], { minLength: 1 })) })),
      },
      { requiredKeys: ["prompt"] },
    ),
  },
);
const shots = fc.array(mostly(native), { maxLength: 4 });

/** Every way in that takes a body, in the words of its dialect. */
const WAYS: Readonly<Record<string, Way>> = {
  native: { paths: ["/v1/renders", "/v1/estimate"], body: native, named: pointers },
  "native, batch": {
    paths: ["/v1/renders/batch"],
    body: fc.oneof(fc.record({ renders: fc.oneof(shots, anything) }), shots, anything),
    named: pointers,
  },
  "native, by name": { method: "PUT", paths: ["/v1/renders/my-clip"], body: native, named: pointers },
  "native, cancel": {
    paths: ["/v1/renders/none/cancel"],
    body: fc.oneof(fields(["partial"]), anything),
    named: pointers,
  },
  storyboards: {
    paths: ["/v1/storyboards"],
    body: fc.oneof(
      fc.record(
        { shots: fc.oneof(shots, anything), join: anything, title: anything, music: anything },
        { requiredKeys: [] },
      ),
      anything,
    ),
    named: pointers,
  },
  webhooks: {
    paths: ["/v1/webhooks"],
    body: fc.oneof(fc.record({ url, events: anything, secret: anything }, { requiredKeys: [] }), anything),
    named: pointers,
  },
  characters: {
    paths: ["/v1/characters"],
    body: fc.oneof(fields(["name", "label", "lora_url", "triggers", "weight", "voice_url"]), anything),
    named: detail,
  },
  nodes: {
    method: "PUT",
    paths: ["/v1/nodes/self"],
    headers: { authorization: `Bearer ${createNodeToken(services.secret, "gpu-1", 4_000_000_000)}` },
    body: fc.oneof(fields(["address"]), anything),
    named: pointers,
  },
  v5: {
    paths: ["/api/animation", "/api/tts", "/api/combined"],
    body: v5Input,
    named: (body) => inWords(body.detail),
  },
  runpod: {
    saysAll: true,
    paths: ["/v2/cartoon/run", "/v2/cartoon/runsync?wait=1000"],
    body: fc.oneof(
      fc.record(
        {
          input: v5Input,
          webhook: mostly(fc.constantFrom("https://example.com/hook", undefined)),
          policy: mostly(
            fc.constantFrom(undefined, { lowPriority: true }, { ttl: 60_000 }, { executionTimeout: 1 }),
          ),
          s3Config: mostly(fc.constant(undefined)),
        },
        { requiredKeys: ["input"] },
      ),
      anything,
    ),
    named: (body) => inWords(body.error),
  },
  cog: {
    paths: ["/predictions", "/v1/predictions", "/v1/models/cartoon/toon/predictions"],
    body: fc.oneof(
      fc.record(
        {
          id: mostly(fc.constant(undefined)),
          input: v5Input,
          webhook: mostly(fc.constantFrom("https://example.com/hook", undefined)),
          webhook_events_filter: mostly(fc.constantFrom(undefined, ["completed"])),
          context: mostly(fc.constant(undefined)),
        },
        { requiredKeys: ["input"] },
      ),
      anything,
    ),
    named: locations,
  },
  "cog, by id": {
    method: "PUT",
    paths: ["/predictions/abc"],
    body: fc.record({ input: v5Input }),
    named: locations,
  },
  fal: { paths: ["/fal/cartoon/toon"], body: v5Input, named: locations },
  gradio: {
    paths: [
      "/gradio_api/call/animation",
      "/gradio_api/call/generate",
      "/gradio_api/call/tts",
      "/gradio_api/queue/join",
    ],
    body: fc.oneof(
      fc.record(
        {
          data: fc.oneof(fc.array(fc.oneof(words, who, anything), { maxLength: 14 }), anything),
          fn_index: anything,
          session_hash: anything,
          event_data: anything,
        },
        { requiredKeys: [] },
      ),
      anything,
    ),
    named: detail,
  },
  openai: {
    paths: ["/v1/videos", "/v1/videos/none/remix"],
    body: fc.oneof(
      fc.record(
        { prompt: words, size: anything, seconds: anything, model: anything, extra: anything },
        { requiredKeys: [] },
      ),
      anything,
    ),
    named: (body) => body.error?.param,
  },
  mcp: {
    paths: ["/mcp"],
    body: fc.oneof(
      fc.record(
        {
          jsonrpc: fc.constant("2.0"),
          id: mostly(fc.nat()),
          method: fc.oneof(
            { weight: 4, arbitrary: fc.constant("tools/call") },
            fc.constantFrom("initialize", "tools/list", "tools/call", "ping"),
            anything,
          ),
          params: fc.oneof(
            fc.record(
              {
                name: fc.oneof(
                  fc.constantFrom("render", "storyboard", "status", "cancel", "list_characters"),
                  anything,
                ),
                arguments: mostly(native),
              },
              { requiredKeys: [] },
            ),
            anything,
          ),
        },
        { requiredKeys: ["jsonrpc", "id", "method", "params"] },
      ),
      anything,
    ),
    named: detail,
  },
};

async function send(way: Way, path: string, body: string): Promise<{ status: number; body: Body }> {
  const headers: Record<string, string> = {
    ...way.headers,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    prefer: "respond-async",
  };
  if (path !== "/mcp") headers.accept = "application/json";
  const request = new Request(`http://127.0.0.1${path}`, { method: way.method ?? "POST", headers, body });
  const hung = new AbortController();
  const response = await Promise.race([
    app.fetch(request, { remoteAddress: "127.0.0.1" }),
    sleep(HANG_MS).then(() => {
      hung.abort();
      throw new Error(`no answer within ${HANG_MS} ms`);
    }),
  ]);
  const text = await response.text();
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  return { status: response.status, body: isJson && text ? JSON.parse(text) : text };
}

const share = Math.ceil(CASES / Object.keys(WAYS).length);
for (const [name, way] of Object.entries(WAYS))
  test(`${name}: ${share} bodies of any kind get no 5xx and no silence, and a refusal names the field`, async () => {
    const body = fc.oneof(
      { weight: 8, arbitrary: way.body.map((value) => JSON.stringify(value) ?? "") },
      { weight: 1, arbitrary: anything.map((value) => JSON.stringify(value) ?? "") },
      { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...way.paths), body, async (path, text) => {
        const answer = await send(way, path, text);
        expect(answer.status).toBeLessThan(500);
        if (answer.status === 422 || (answer.status === 400 && way.saysAll))
          expect([answer.body, Boolean(way.named(answer.body))]).toEqual([answer.body, true]);
        else if (answer.status >= 400) expect(JSON.stringify(answer.body).length).toBeGreaterThan(10);
      }),
      { numRuns: share },
    );
  }, 120_000);
