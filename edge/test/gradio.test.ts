import { afterAll, expect, test } from "bun:test";
import { Client } from "@gradio/client";
import { startHarness } from "./harness.ts";

const h = await startHarness();
afterAll(() => h.stop());

test("the official client connects, views the API and predicts", async () => {
  const client = await Client.connect(h.url, { events: ["data", "status"] });
  const info = await client.view_api();
  expect(Object.keys(info.named_endpoints)).toEqual(["/animation", "/voice", "/combined"]);
  const stages: string[] = [];
  const job = client.submit("/combined", {
    prompt: "temo and felfel on the moon",
    dialogue_text: "[S1] Temo: Hello! [S2] Felfel: Hi!",
    seed: 3,
  });
  let data: unknown[] = [];
  for await (const message of job) {
    if (message.type === "status") stages.push(message.stage);
    if (message.type === "data") {
      data = message.data as unknown[];
      break;
    }
  }
  const [gif, video, audio, status] = data as { url: string; seed: number; id: string }[];
  expect((await fetch(video?.url ?? "")).headers.get("content-type")).toBe("video/mp4");
  expect((await fetch(gif?.url ?? "")).headers.get("content-type")).toBe("image/gif");
  expect((await fetch(audio?.url ?? "")).headers.get("content-type")).toBe("audio/wav");
  expect(status?.seed).toBe(3);
  expect(stages).toContain("pending");
  expect((await h.call("GET", `/v1/renders/${status?.id}`)).body.status).toBe("succeeded");
});

test("plain calls: POST, then the event stream", async () => {
  const { body } = await h.call("POST", "/gradio_api/call/voice", { data: ["temo", "Hello there!"] });
  const text = await (await fetch(`${h.url}/gradio_api/call/voice/${body.event_id}`)).text();
  expect(text).toStartWith("event: complete\ndata: [");
  const bad = await h.call("POST", "/gradio_api/call/voice", { data: ["garfield", "Hello there!"] });
  expect(bad).toMatchObject({ status: 422, body: { detail: expect.stringContaining("garfield") } });
  expect((await h.call("POST", "/gradio_api/call/nothing", { data: [] })).status).toBe(404);
});
