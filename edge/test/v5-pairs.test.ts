// Golden pairs of requests and answers over HTTP: v5's REST contract at `/api/*?contract=v5`, v5's RunPod handler at
// `/v2/{endpoint}/runsync`, v6's at `/api/*`. What a request becomes, field by field, is in v5-golden.test.ts.
import { afterAll, describe, expect, test } from "bun:test";
import { startHarness } from "./harness.ts";

const h = await startHarness();
afterAll(() => h.stop());

const memory = { allocated_gb: null, reserved_gb: null, total_gb: null, free_gb: null };
/** Fields that v6 adds to v5's answer; the old ones stay what they were. */
const rest = (task_type: string, media: string[], more: object = {}) => ({
  task_type,
  gif: media.includes("gif") ? expect.stringMatching(/^[A-Za-z0-9+/]+=*$/) : null,
  mp4: media.includes("mp4") ? expect.stringMatching(/^[A-Za-z0-9+/]+=*$/) : null,
  audio: media.includes("audio") ? expect.stringMatching(/^[A-Za-z0-9+/]+=*$/) : null,
  seed: 7,
  memory_usage: memory,
  generation_time: expect.any(Number),
  id: expect.stringMatching(/^job_/),
  status: "succeeded",
  urls: expect.objectContaining({ "manifest.json": expect.any(String) }),
  warnings: expect.any(Array),
  ...more,
});
const TYPES = { gif: "image/gif", mp4: "video/mp4", audio: "audio/wav" };
const runpod = (task_type: string, media: (keyof typeof TYPES)[], more: object = {}) => ({
  id: expect.stringMatching(/^job_/),
  status: "COMPLETED",
  delayTime: expect.any(Number),
  executionTime: expect.any(Number),
  workerId: "scripted",
  output: {
    task_type,
    seed: 7,
    generation_time: expect.any(Number),
    memory_usage: memory,
    ...Object.fromEntries(
      media.map((name) => [name, expect.stringContaining(`data:${TYPES[name]};base64,`)]),
    ),
    urls: expect.any(Object),
    warnings: expect.any(Array),
    ...more,
  },
});

interface Pair {
  what: string;
  path: string;
  request: unknown;
  status: number;
  answer: unknown;
}
const PAIRS: Pair[] = [
  {
    what: "REST: one character, animation",
    path: "/api/animation?contract=v5",
    request: { character: "temo", prompt: "temo waves", seed: 7 },
    status: 200,
    answer: rest("animation", ["gif", "mp4"]),
  },
  {
    what: "REST: speech",
    path: "/api/tts?contract=v5",
    request: { dialogue_text: "[S1] Hello!", guidance_scale: 3, seed: 7 },
    status: 200,
    answer: rest("tts", ["audio"]),
  },
  {
    what: "REST: both parts",
    path: "/api/combined?contract=v5",
    request: { character: "felfel", prompt: "felfel runs", dialogue_text: "[S2] Hi!", seed: 7 },
    status: 200,
    answer: rest("combined", ["gif", "mp4", "audio"]),
  },
  {
    what: "REST: a clamp is told",
    path: "/api/animation?contract=v5",
    request: { character: "temo", prompt: "x", num_frames: 64, seed: 7 },
    status: 200,
    answer: rest("animation", ["gif", "mp4"], {
      warnings: expect.arrayContaining([
        { field: "num_frames", given: "64", used: "32", rule: "v5 REST: 4 to 32" },
      ]),
    }),
  },
  {
    what: "REST: no prompt",
    path: "/api/animation?contract=v5",
    request: { character: "temo", prompt: "" },
    status: 400,
    answer: { detail: expect.stringContaining("prompt"), code: "validation_failed" },
  },
  {
    what: "REST: an unknown character",
    path: "/api/animation?contract=v5",
    request: { character: "garfield", prompt: "x" },
    status: 400,
    answer: { detail: expect.stringContaining("garfield"), code: "validation_failed" },
  },
  {
    what: "v6: two characters who talk",
    path: "/api/combined",
    request: {
      characters: ["temo", "felfel"],
      prompt: "both",
      dialogue_text: "[S1] Hi! [S2] Hello!",
      seed: 7,
    },
    status: 200,
    answer: rest("combined", ["gif", "mp4", "audio"]),
  },
  {
    what: "RunPod: one character, animation",
    path: "/v2/cartoon/runsync",
    request: { input: { character: "temo", prompt: "temo waves", seed: 7 } },
    status: 200,
    answer: runpod("animation", ["gif", "mp4"], {
      character: "temo",
      characters: ["temo"],
      prompt: "temo waves",
      dialogue_text: "",
    }),
  },
  {
    what: "RunPod: speech",
    path: "/v2/cartoon/runsync",
    request: { input: { task_type: "tts", dialogue_text: "[S1] Hello!", seed: 7 } },
    status: 200,
    answer: runpod("tts", ["audio"], { character: "", characters: [], prompt: "", dialogue_text: "Hello!" }),
  },
  {
    what: "RunPod: two characters who talk",
    path: "/v2/cartoon/runsync",
    request: {
      input: {
        task_type: "combined",
        characters: ["temo", "felfel"],
        prompt: "both",
        dialogue_text: "[S1] Hi! [S2] Hello!",
        seed: 7,
      },
    },
    status: 200,
    answer: runpod("combined", ["gif", "mp4", "audio"], {
      character: "temo,felfel",
      characters: ["temo", "felfel"],
      prompt: "both",
      dialogue_text: "Hi! Hello!",
    }),
  },
  {
    what: "RunPod: a clamp is told",
    path: "/v2/cartoon/runsync",
    request: { input: { character: "temo", prompt: "x", num_frames: 8, seed: 7 } },
    status: 200,
    answer: runpod("animation", ["gif", "mp4"], {
      character: "temo",
      characters: ["temo"],
      prompt: "x",
      dialogue_text: "",
      warnings: expect.arrayContaining([
        { field: "num_frames", given: "8", used: "16", rule: "v5 RunPod: 16 to 64" },
      ]),
    }),
  },
  {
    what: "RunPod: no prompt, which crashed v5",
    path: "/v2/cartoon/runsync",
    request: { input: { character: "temo", prompt: "" } },
    status: 400,
    answer: { error: expect.stringContaining("prompt") },
  },
];

describe("golden pairs", () => {
  for (const { what, path, request, status, answer } of PAIRS)
    test(what, async () => {
      const got = await h.call("POST", path, request);
      expect({ status: got.status, body: got.body }).toEqual({ status, body: answer });
    });
});
