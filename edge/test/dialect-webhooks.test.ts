import { afterAll, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { startHarness } from "./harness.ts";

const received: Record<string, unknown>[] = [];
const listener = createServer((request, response) => {
  let text = "";
  request.on("data", (chunk) => {
    text += chunk;
  });
  request.on("end", () => {
    received.push({ path: request.url, ...JSON.parse(text) });
    response.end();
  });
});
await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
const address = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
const h = await startHarness({ env: { CARTOON_FETCH_ALLOW: address } });
afterAll(async () => {
  await h.stop();
  listener.close();
});

async function arrived(path: string, count: number) {
  for (let i = 0; i < 200 && received.filter((one) => one.path === path).length < count; i++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  return received.filter((one) => one.path === path);
}
const input = { prompt: "temo waves", character: "temo", seed: 4 };

test("RunPod's webhook carries status, input and output", async () => {
  const webhook = `http://${address}/runpod`;
  const { body } = await h.call("POST", "/v2/cartoon/run", { input, webhook });
  const [sent] = await arrived("/runpod", 1);
  expect(sent).toMatchObject({ id: body.id, status: "COMPLETED", input, webhook, output: { seed: 4 } });
});

test("Cog's webhook carries the prediction, at the start and at the end", async () => {
  const { body } = await h.call("POST", "/v1/predictions", { input, webhook: `http://${address}/cog` });
  const sent = await arrived("/cog", 2);
  expect(sent.map((one) => one.id)).toEqual([body.id, body.id]);
  expect(sent.at(-1)).toMatchObject({ status: "succeeded", output: { seed: 4 } });
  await h.call("POST", "/predictions", {
    input,
    webhook: `http://${address}/cog-end`,
    webhook_events_filter: ["completed"],
  });
  expect(await arrived("/cog-end", 1)).toMatchObject([{ status: "succeeded" }]);
});

test("fal's webhook says OK and carries the payload", async () => {
  const hook = encodeURIComponent(`http://${address}/fal`);
  const { body } = await h.call("POST", `/fal/cartoon/animation?fal_webhook=${hook}`, input);
  const [sent] = await arrived("/fal", 1);
  expect(sent).toMatchObject({
    request_id: body.request_id,
    status: "OK",
    error: null,
    payload: { seed: 4 },
  });
});
