import { afterAll, describe, expect, test } from "bun:test";
import { sleep, startHarness } from "./harness.ts";
import { contentOf, playThrough } from "./scripted-node.ts";

const h = await startHarness();
afterAll(() => h.stop());

describe("a render from request to result", () => {
  test("succeeds, with signed results", async () => {
    const submitted = await h.call("POST", "/v1/renders", {
      prompt: "temo and felfel on a moon base",
      dialogue: "[S1] Temo: Welcome! [S2] Felfel: Thanks, Temo!",
      seed: 7,
    });
    expect(submitted.status).toBe(202);
    expect(submitted.body.status).toBe("queued");
    expect(submitted.body.spec.clip.characters).toEqual([
      { name: "temo", weight: 0.5 },
      { name: "felfel", weight: 0.5 },
    ]);
    const render = await h.finished(submitted.body.id);
    expect(render.status).toBe("succeeded");
    expect(render.results.map((result) => result.name).sort()).toEqual([
      "captions.vtt",
      "clip.gif",
      "clip.mp4",
      "manifest.json",
      "poster.png",
      "speech.wav",
    ]);
    expect(render.warnings).toContainEqual({
      field: "clip.width",
      given: "1024",
      used: "256",
      rule: "native size, scaled up",
    });
    const clip = render.results.find((result) => result.name === "clip.mp4");
    const fetched = await fetch(clip?.url ?? "");
    expect(fetched.status).toBe(200);
    expect(fetched.headers.get("content-type")).toBe("video/mp4");
    const run = h.node.runs[0];
    expect(await fetched.text()).toBe(new TextDecoder().decode(run && contentOf("clip.mp4", run.request)));
  });

  test("takes a start image by URL or inside the request, and everything that steers a clip, to the node", async () => {
    const steering = {
      free_init: 2,
      free_noise: false,
      clip_skip: 1,
      loop: true,
      blend: "regional",
      quality: "fast",
      guidance_rescale: 0.5,
      scheduler: "lcm",
      prompt_travel: [{ frame: 4, prompt: "felfel sits down" }],
      context: { window: 8, overlap: 2, schedule: "uniform" },
    };
    for (const url of ["https://pictures.example/start.jpg", "data:image/png;base64,iVBORw0KGgo="]) {
      const clip = { ...steering, start_image: { url, strength: 0.4 } };
      const { status, body } = await h.call("POST", "/v1/renders", { prompt: "felfel walks", clip });
      expect(status).toBe(202);
      expect(body.spec.clip).toMatchObject(clip);
      await h.finished(body.id);
      expect(h.node.runs.at(-1)?.request.spec?.clip).toMatchObject(clip);
    }
    const plain = {
      prompt: "felfel walks",
      clip: { start_image: { url: "https://pictures.example/a.png" } },
    };
    expect((await h.call("POST", "/v1/renders", plain)).body.spec.clip?.start_image?.strength).toBe(0.7);
    for (const start_image of [
      { url: "file:///etc/passwd", strength: 0.4 },
      { url: "data:image/svg+xml;base64,AAAA", strength: 0.4 },
      { url: "https://pictures.example/start.jpg", strength: 2 },
    ]) {
      const refused = await h.call("POST", "/v1/renders", { prompt: "felfel walks", clip: { start_image } });
      expect(refused.status).toBe(422);
      expect(JSON.stringify(refused.body)).toContain("#/clip/start_image/");
    }
  });

  test("streams its events and ends", async () => {
    const { body } = await h.call("POST", "/v1/renders", { prompt: "felfel dances", seed: 1 });
    const stream = await fetch(`${h.url}/v1/renders/${body.id}/events`);
    expect(stream.headers.get("content-type")).toContain("text/event-stream");
    const text = await stream.text();
    const types = [...text.matchAll(/^event: (.*)$/gm)].map((match) => match[1]);
    expect(types[0]).toBe("queued");
    expect(types.at(-1)).toBe("succeeded");
    expect(types).toContain("progress");
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));
    expect(ids).toEqual(ids.map((_, index) => index + 1));
    const rest = await fetch(`${h.url}/v1/renders/${body.id}/events`, { headers: { "last-event-id": "3" } });
    expect([...(await rest.text()).matchAll(/^id: (\d+)$/gm)][0]?.[1]).toBe("4");
  });

  test("is canceled at a step, with a receipt", async () => {
    h.node.script = playThrough({ steps: 500, stepMs: 10 });
    const { body } = await h.call("POST", "/v1/renders", { prompt: "temo waves" });
    while ((await h.call("GET", `/v1/renders/${body.id}`)).body.step === 0) await sleep(10);
    const canceled = await h.call("POST", `/v1/renders/${body.id}/cancel?wait=10`);
    expect([canceled.status, canceled.body.status]).toEqual([200, "canceled"]);
    expect(canceled.body.receipt.steps_done).toBeGreaterThan(0);
    h.node.script = playThrough();
    const retried = await h.call("POST", `/v1/renders/${body.id}/retry`);
    expect(retried.status).toBe(202);
    expect((await h.finished(body.id)).status).toBe("succeeded");
  });
});

test("`wait` holds the answer until the render ends, or for so long, and never without end", async () => {
  h.node.script = playThrough({ steps: 60, stepMs: 10 });
  const { body } = await h.call("POST", "/v1/renders", { prompt: "temo waves" });
  const early = await h.call("GET", `/v1/renders/${body.id}?wait=0.05`);
  expect([early.status, early.body.completed_at]).toEqual([200, null]);
  const done = await h.call("GET", `/v1/renders/${body.id}?wait=60`);
  expect(done.body.status).toBe("succeeded");
  for (const wait of ["121", "-1", "soon"]) {
    const refused = await h.call("GET", `/v1/renders/${body.id}?wait=${wait}`);
    expect([refused.status, refused.body.errors[0].parameter]).toEqual([400, "wait"]);
  }
});
