import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Harness, startHarness } from "@cartoon/edge/test/harness";
import { clip, startTestNode, type TestNode } from "@cartoon/gpu-pool/supervisor/testing/test-node";
import { channelOptions, JobService } from "@cartoon/protos";
import { status as Code, credentials } from "@grpc/grpc-js";
import { initCertificates } from "./init.ts";

setDefaultTimeout(60_000);

// The files of `cartoon certs init`, in the variables that the documents name, from end to end.
let folder = "";
let node: TestNode;
const edges: Harness[] = [];
const pem = (name: string, of = folder) => join(of, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-edge-mtls-"));
  await initCertificates({ folder, hosts: [], days: 1 });
  await initCertificates({ folder: join(folder, "foreign"), hosts: [], days: 1 });
  node = await startTestNode({
    CARTOON_TLS_CERT: pem("node.crt"),
    CARTOON_TLS_KEY: pem("node.key"),
    CARTOON_TLS_CLIENT_CA: pem("ca.crt"),
  });
  await node.ready();
});
afterAll(async () => {
  for (const edge of edges) await edge.stop();
  await node.close();
  await rm(folder, { recursive: true, force: true });
});

/** An edge that dials the node; its own scripted one is left aside. */
async function edgeWith(env: Record<string, string>): Promise<Harness> {
  const edge = await startHarness({ env: { CARTOON_NODES: `127.0.0.1:${node.server.port}`, ...env } });
  edges.push(edge);
  return edge;
}

test("an edge with its certificate renders on a node that asks for one", async () => {
  const h = await edgeWith({
    CARTOON_NODE_CA: pem("ca.crt"),
    CARTOON_NODE_CERT: pem("edge.crt"),
    CARTOON_NODE_KEY: pem("edge.key"),
    CARTOON_GRPC_PORT: "0",
    CARTOON_GRPC_CERT: pem("edge.crt"),
    CARTOON_GRPC_KEY: pem("edge.key"),
    CARTOON_GRPC_CLIENT_CA: pem("ca.crt"),
  });
  const { prompt, seed, width, height } = clip;
  const request = { clip: { prompt, seed, width, height, num_frames: 8, num_inference_steps: 2 } };
  const { body } = await h.call("POST", "/v1/renders", { ...request, output: { formats: ["poster"] } });
  expect((await h.finished(body.id)).status).toBe("succeeded");
});

test("an edge without the right certificate is not let in", async () => {
  const foreign = join(folder, "foreign");
  const wrong: Record<string, string>[] = [
    {},
    { CARTOON_NODE_CA: pem("ca.crt") },
    {
      CARTOON_NODE_CA: pem("ca.crt"),
      CARTOON_NODE_CERT: pem("edge.crt", foreign),
      CARTOON_NODE_KEY: pem("edge.key", foreign),
    },
  ];
  for (const h of await Promise.all(wrong.map(edgeWith)))
    expect((await h.call("GET", "/v1/nodes")).body.nodes[0].health).toBe("unspecified");
});

test("the job service over mTLS takes callers with a certificate, and nobody else", async () => {
  const [h] = edges;
  const read = (name: string) => readFile(pem(name));
  const ca = await read("ca.crt");
  const options = { ...channelOptions, "grpc.ssl_target_name_override": "cartoon-edge" };
  const list = (security: ReturnType<typeof credentials.createSsl>) => {
    const client = new JobService(`127.0.0.1:${h?.edge.grpcPort}`, security, options);
    return new Promise<Code>((resolve) => {
      client.List({ limit: 1 }, { deadline: Date.now() + 4_000 }, (error) => {
        client.close();
        resolve(error ? error.code : Code.OK);
      });
    });
  };
  const own = credentials.createSsl(ca, await read("node.key"), await read("node.crt"));
  expect(await list(own)).toBe(Code.OK);
  expect(await list(credentials.createSsl(ca))).not.toBe(Code.OK);
  expect(await list(credentials.createInsecure())).not.toBe(Code.OK);
});
