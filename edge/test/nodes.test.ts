import { afterAll, expect, test } from "bun:test";
import { resolveAddress } from "@cartoon/protos";
import { createNodeToken, verifyNodeToken } from "../src/nodes/token.ts";
import { sleep, startHarness } from "./harness.ts";
import { ScriptedNode } from "./scripted-node.ts";

const secret = "a secret for node tokens, 32 bytes and more";
const h = await startHarness({ env: { CARTOON_URL_SECRET: secret } });
const second = new ScriptedNode(undefined, { id: "second" });
await second.start();
afterAll(async () => {
  await h.stop();
  second.kill();
});

const soon = () => Math.floor(Date.now() / 1000) + 60;
const states = async () =>
  (await h.call("GET", "/v1/nodes")).body.nodes.map((node: { node_id: string; health: string }) => [
    node.node_id,
    node.health,
  ]);

test("node tokens name one node, for a while", () => {
  const token = createNodeToken(secret, "gpu-1", soon());
  expect(verifyNodeToken(secret, token, Date.now())).toBe("gpu-1");
  expect(verifyNodeToken(secret, token, Date.now() + 120_000)).toBeUndefined();
  expect(verifyNodeToken("another secret of 32 bytes, more or less", token, Date.now())).toBeUndefined();
  for (const bad of ["", "nt_", "nt_a.b", token.slice(0, -2), token.replace("nt_", "nt_A")])
    expect(verifyNodeToken(secret, bad, Date.now())).toBeUndefined();
  expect(() => createNodeToken(secret, "../x", soon())).toThrow();
});

test("a node registers itself, gets jobs, and says goodbye", async () => {
  const headers = { authorization: `Bearer ${createNodeToken(secret, "gpu-2", soon())}` };
  expect((await h.call("PUT", "/v1/nodes/self", { address: second.address })).status).toBe(401);
  expect((await h.call("PUT", "/v1/nodes/self", { address: "nonsense" }, headers)).status).toBe(422);
  expect((await h.call("PUT", "/v1/nodes/self", { address: second.address }, headers)).status).toBe(204);
  for (let i = 0; i < 100 && !JSON.stringify(await states()).includes('["second","ready"]'); i++)
    await sleep(20);
  expect(await states()).toContainEqual(["second", "ready"]);
  h.node.setHealth("NODE_HEALTH_DRAINING");
  while (!JSON.stringify(await states()).includes('["scripted","draining"]')) await sleep(5);
  const { body } = await h.call("POST", "/v1/renders", { prompt: "temo" });
  expect((await h.finished(body.id)).status).toBe("succeeded");
  expect(second.runs).toHaveLength(1);
  expect((await h.call("DELETE", "/v1/nodes/self", undefined, headers)).status).toBe(204);
  expect(await states()).toEqual([["scripted", "draining"]]);
});

test("names become an address for each of their records", async () => {
  expect(await resolveAddress("node.example:50051")).toEqual(["node.example:50051"]);
  const found = await resolveAddress("dns:localhost:50051");
  expect(found.every((address) => ["127.0.0.1:50051", "[::1]:50051"].includes(address))).toBe(true);
  expect(found.length).toBeGreaterThan(0);
});
