import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestNode, type TestNode } from "@cartoon/gpu-pool/supervisor/testing/test-node";
import { channelOptions, NodeService } from "@cartoon/protos";
import { status as Code, credentials } from "@grpc/grpc-js";
import { initCertificates } from "./init.ts";

setDefaultTimeout(60_000);

let folder = "";
let node: TestNode | undefined;
afterAll(async () => {
  await node?.close();
  await rm(folder, { recursive: true, force: true });
});

test("with a client CA only callers with its certificate are let in", async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-mtls-"));
  await initCertificates({ folder, hosts: [], days: 1 });
  const pem = (name: string) => join(folder, name);
  const one = await startTestNode({
    CARTOON_TLS_CERT: pem("node.crt"),
    CARTOON_TLS_KEY: pem("node.key"),
    CARTOON_TLS_CLIENT_CA: pem("ca.crt"),
  });
  node = one;
  const read = (name: string) => Bun.file(pem(name)).bytes().then(Buffer.from);
  const options = {
    ...channelOptions,
    "grpc.ssl_target_name_override": "cartoon-node",
    "grpc.default_authority": "cartoon-node",
  };
  const describeWith = async (client: InstanceType<typeof NodeService>) => {
    try {
      return await new Promise<number>((resolve) => {
        client.describe({}, { deadline: Date.now() + 5_000 }, (error) =>
          resolve(error ? error.code : Code.OK),
        );
      });
    } finally {
      client.close();
    }
  };
  const address = `127.0.0.1:${one.server.port}`;
  const known = credentials.createSsl(await read("ca.crt"), await read("edge.key"), await read("edge.crt"));
  const stranger = credentials.createSsl(await read("ca.crt"));
  expect(await describeWith(new NodeService(address, known, options))).toBe(Code.OK);
  expect(await describeWith(new NodeService(address, stranger, options))).not.toBe(Code.OK);
  expect(await describeWith(new NodeService(address, credentials.createInsecure()))).not.toBe(Code.OK);
});
