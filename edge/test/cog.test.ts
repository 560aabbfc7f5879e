import { afterAll, expect, test } from "bun:test";
import Replicate from "replicate";
import { startHarness } from "./harness.ts";

const h = await startHarness();
const client = new Replicate({ auth: "any", baseUrl: `${h.url}/v1` });
afterAll(() => h.stop());

const input = {
  prompt: "temo and felfel dance",
  characters: ["temo", "felfel"],
  dialogue_text: "Temo: Dance!",
};

test("the official client runs a prediction and gets its files", async () => {
  const output = (await client.run("cartoon/animation", { input, wait: { mode: "poll", interval: 20 } })) as {
    mp4: string;
    seed: number;
  };
  expect((await fetch(output.mp4)).headers.get("content-type")).toBe("video/mp4");
  expect(Number.isInteger(output.seed)).toBe(true);
});

test("create, get, wait, list and cancel", async () => {
  const made = await client.predictions.create({ version: "6.0.0", input });
  expect(made.status).toBe("starting");
  const done = await client.wait(made, { interval: 20 });
  expect(done).toMatchObject({ id: made.id, status: "succeeded", error: null, source: "api" });
  expect((await client.predictions.list()).results.map((one) => one.id)).toContain(made.id);
  expect((await h.call("GET", `/v1/renders/${made.id}`)).body.status).toBe("succeeded");
  expect((await client.predictions.cancel(made.id)).id).toBe(made.id);
});

test("Cog answers when it is done, or at once when asked to, under an id of one's own", async () => {
  const sync = await h.call("POST", "/predictions", { input });
  expect(sync.status).toBe(200);
  expect(sync.body).toMatchObject({ status: "succeeded", input });
  const put = await h.call("PUT", "/predictions/mine-1", { input }, { prefer: "respond-async" });
  expect(put).toMatchObject({ status: 202, body: { id: "mine-1", status: "starting" } });
  const again = await h.call("PUT", "/predictions/mine-1", { input });
  expect(again.body).toMatchObject({ id: "mine-1", status: "succeeded" });
  const other = await h.call("PUT", "/predictions/mine-1", { id: "mine-2", input });
  expect(other).toMatchObject({ status: 422, body: { detail: [{ loc: ["body", "id"] }] } });
});

test("server-sent events end with the whole prediction", async () => {
  const response = await fetch(`${h.url}/predictions`, {
    method: "POST",
    headers: { accept: "text/event-stream", "content-type": "application/json" },
    body: JSON.stringify({ input }),
  });
  const text = await response.text();
  const events = [...text.matchAll(/^event: (.*)$/gm)].map((match) => match[1]);
  expect(events[0]).toBe("start");
  expect(events.at(-1)).toBe("completed");
  expect(JSON.parse(/event: completed\ndata: (.*)/.exec(text)?.[1] ?? "")).toMatchObject({
    status: "succeeded",
  });
});

test("a bad input is a 422 that names its place", async () => {
  const bad = await h.call("POST", "/predictions", { input: { prompt: "x", num_frames: "many" } });
  expect(bad).toMatchObject({ status: 422, body: { detail: [{ loc: ["body", "input", "num_frames"] }] } });
  expect((await h.call("GET", "/health-check")).body).toMatchObject({ setup: { status: "succeeded" } });
});
