import { afterAll, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { sleep, startHarness } from "./harness.ts";

interface Received {
  headers: Record<string, string>;
  body: string;
}
const received: Received[] = [];
let answer = 200;
const receiver = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  received.push({ headers: request.headers as Record<string, string>, body });
  response.writeHead(answer).end();
});
await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
const { port } = receiver.address() as AddressInfo;
const url = `http://127.0.0.1:${port}/hook`;
const secret = `whsec_${Buffer.from("a secret of 32 bytes for a test!").toString("base64")}`;

const h = await startHarness({ env: { CARTOON_FETCH_ALLOW: `127.0.0.1:${port}` } });
afterAll(async () => {
  await h.stop();
  receiver.closeAllConnections();
  receiver.close();
});

const arrived = async (count: number) => {
  for (let i = 0; received.length < count && i < 200; i++) await sleep(20);
  return received[count - 1];
};

test("a finished render is told, signed as the standard has it", async () => {
  const { body } = await h.call("POST", "/v1/renders", { prompt: "temo waves", webhook: { url, secret } });
  const got = await arrived(1);
  const verified = new Webhook(secret).verify(got?.body ?? "", got?.headers ?? {}) as {
    type: string;
    data: { id: string; results: { url: string }[] };
  };
  expect(verified.type).toBe("render.succeeded");
  expect(verified.data.id).toBe(body.id);
  expect((await fetch(verified.data.results[0]?.url ?? "")).status).toBe(200);
  const { deliveries } = (await h.call("GET", `/v1/webhooks/deliveries?render_id=${body.id}`)).body;
  expect(deliveries).toMatchObject([{ status: "delivered", attempts: [{ attempt: 1, status_code: 200 }] }]);
});

test("a failing receiver is tried again, a delivery can be replayed, 410 ends it", async () => {
  answer = 500;
  received.length = 0;
  const { body } = await h.call("POST", "/v1/renders", {
    prompt: "temo waves",
    webhook: { url, events: ["succeeded"] },
  });
  await arrived(1);
  const log = async () =>
    (await h.call("GET", `/v1/webhooks/deliveries?render_id=${body.id}`)).body.deliveries[0];
  while ((await log()).attempts.length < 1) await sleep(20);
  expect(await log()).toMatchObject({ status: "pending", attempts: [{ status_code: 500 }] });
  answer = 410;
  expect((await h.call("POST", `/v1/webhooks/deliveries/${(await log()).id}/replay`)).status).toBe(202);
  await arrived(2);
  while ((await log()).attempts.length < 2) await sleep(20);
  expect(await log()).toMatchObject({ status: "failed", attempts: [{}, { status_code: 410 }] });
  expect(received[1]?.headers["webhook-signature"]).toBeUndefined();
});

test("standing webhooks hear of every render; private addresses are refused", async () => {
  answer = 200;
  received.length = 0;
  const made = await h.call("POST", "/v1/webhooks", { url, events: ["succeeded"] });
  expect(made.body.secret).toMatch(/^whsec_/);
  await h.call("POST", "/v1/renders", { prompt: "felfel jumps" });
  const got = await arrived(1);
  expect(() => new Webhook(made.body.secret).verify(got?.body ?? "", got?.headers ?? {})).not.toThrow();
  expect((await h.call("DELETE", `/v1/webhooks/${made.body.id}`)).status).toBe(204);
  expect((await h.call("GET", "/v1/webhooks")).body.webhooks).toEqual([]);
  for (const bad of [
    "http://127.0.0.1:1/",
    "http://169.254.169.254/",
    "http://[::1]/",
    "http://localhost/",
  ]) {
    const refused = await h.call("POST", "/v1/renders", { prompt: "x", webhook: { url: bad } });
    expect([refused.status, refused.body.errors?.[0]?.pointer]).toEqual([422, "#/webhook/url"]);
  }
});
