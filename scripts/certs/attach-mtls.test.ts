import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeToken } from "@cartoon/edge/nodes/token";
import { type Harness, startHarness } from "@cartoon/edge/test/harness";
import { parseNodeEnv } from "@cartoon/gpu-pool/env";
import { Attachments } from "@cartoon/gpu-pool/supervisor/attachments";
import { dialOptions } from "@cartoon/gpu-pool/supervisor/dial-options";
import { startTestNode, type TestNode } from "@cartoon/gpu-pool/supervisor/testing/test-node";
import { initCertificates } from "./init.ts";

setDefaultTimeout(60_000);

const SECRET = "a secret for node tokens, 32 bytes and more";
let folder = "";
let edge: Harness | undefined;
let node: TestNode | undefined;
afterAll(async () => {
  await node?.close();
  await edge?.stop();
  await rm(folder, { recursive: true, force: true });
});

test("a node dials in over mTLS; without a certificate, or to an edge that is not ours, it does not", async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-attach-"));
  await initCertificates({ folder, hosts: [], days: 1 });
  const foreign = join(folder, "foreign");
  await initCertificates({ folder: foreign, hosts: [], days: 1 });
  const h = await startHarness({
    env: {
      CARTOON_URL_SECRET: SECRET,
      CARTOON_ATTACH_PORT: "0",
      CARTOON_ATTACH_CERT: join(folder, "edge.crt"),
      CARTOON_ATTACH_KEY: join(folder, "edge.key"),
      CARTOON_ATTACH_CLIENT_CA: join(folder, "ca.crt"),
    },
  });
  edge = h;
  const one = await startTestNode();
  node = one;
  await one.ready();
  const token = createNodeToken(SECRET, "gpu-1", Math.floor(Date.now() / 1000) + 600);
  const dial = async (variables: Record<string, string>) => {
    const said: string[] = [];
    const env = parseNodeEnv({
      CARTOON_EDGES: `dns:localhost:${h.edge.attachPort}`,
      CARTOON_REGISTER_TOKEN: token,
      ...variables,
    });
    const attachments = new Attachments({
      node: one.node,
      edges: env.CARTOON_EDGES,
      dial: await dialOptions(env),
      token,
      log: (message) => said.push(message),
    });
    while (said.length === 0) await Bun.sleep(10);
    return { said, attachments };
  };
  const pem = (name: string) => join(folder, name);
  const own = { CARTOON_EDGE_CERT: pem("node.crt"), CARTOON_EDGE_KEY: pem("node.key") };

  const wrong: Record<string, string>[] = [
    { CARTOON_EDGE_CA: pem("ca.crt") },
    { CARTOON_EDGE_CA: join(foreign, "ca.crt"), ...own },
    { CARTOON_EDGE_CA: pem("ca.crt"), ...own, CARTOON_EDGE_SERVER_NAME: "another-edge" },
    {},
  ];
  for (const variables of wrong) {
    const { said, attachments } = await dial(variables);
    expect(said[0]).not.toContain("is attached");
    await attachments.close();
  }
  const listed = async () =>
    (await h.call("GET", "/v1/nodes")).body.nodes.map((n: { address: string }) => n.address);
  expect(await listed()).not.toContain("attached:gpu-1/test-node");

  const { said, attachments } = await dial({ CARTOON_EDGE_CA: pem("ca.crt"), ...own });
  while (!said.some((line) => line.endsWith("is attached"))) await Bun.sleep(10);
  expect(await listed()).toContain("attached:gpu-1/test-node");
  await attachments.close();
});
