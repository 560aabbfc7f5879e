// One job, one id: whatever dialect took it in, every other knows it by the same id.
import { afterAll, describe, expect, test } from "bun:test";
import { startHarness } from "./harness.ts";

const h = await startHarness();
afterAll(() => h.stop());

const prompt = "temo waves";
const input = { task_type: "animation", character: "temo", prompt };
/** How each dialect takes a job in, and where its answer has the id. */
const WAYS_IN: Record<
  string,
  { path: string; body: unknown; id: (body: Record<string, string>) => string | undefined }
> = {
  native: { path: "/v1/renders", body: { prompt }, id: ({ id }) => id },
  v5: { path: "/api/animation", body: input, id: ({ id }) => id },
  RunPod: { path: "/v2/cartoon/run", body: { input }, id: ({ id }) => id },
  Cog: { path: "/predictions", body: { input }, id: ({ id }) => id },
  Replicate: { path: "/v1/predictions", body: { input }, id: ({ id }) => id },
  fal: { path: "/fal/cartoon/animation", body: input, id: ({ request_id }) => request_id },
  OpenAI: { path: "/v1/videos", body: { prompt, model: "cartoon" }, id: ({ id }) => id },
  Gradio: {
    path: "/gradio_api/call/animation",
    body: { data: ["temo", prompt] },
    id: ({ event_id }) => event_id,
  },
};
/** Where each dialect tells of a job, and what it says of one that is done. */
const WAYS_OUT: Record<string, { path: (id: string) => string; done: RegExp }> = {
  native: { path: (id) => `/v1/renders/${id}`, done: /"status":"succeeded"/ },
  RunPod: { path: (id) => `/v2/cartoon/status/${id}`, done: /"status":"COMPLETED"/ },
  Cog: { path: (id) => `/predictions/${id}`, done: /"status":"succeeded"/ },
  Replicate: { path: (id) => `/v1/predictions/${id}`, done: /"status":"succeeded"/ },
  fal: { path: (id) => `/fal/cartoon/animation/requests/${id}/status`, done: /"status":"COMPLETED"/ },
  OpenAI: { path: (id) => `/v1/videos/${id}`, done: /"status":"completed"/ },
  Gradio: { path: (id) => `/gradio_api/call/animation/${id}`, done: /event: complete/ },
};

describe("a job is known by one id everywhere", () => {
  for (const [name, { path, body, id }] of Object.entries(WAYS_IN))
    test(`taken in by ${name}`, async () => {
      const answer = await h.call("POST", path, body);
      const job = id(answer.body) ?? "";
      expect(job).toStartWith("job_");
      await h.finished(job);
      for (const [reader, way] of Object.entries(WAYS_OUT)) {
        const response = await fetch(h.url + way.path(job));
        const text = await response.text();
        expect({ reader, status: response.status }).toEqual({ reader, status: 200 });
        expect(`${reader}: ${text}`).toMatch(way.done);
      }
    });
});
