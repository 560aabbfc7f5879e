import { expect, test } from "bun:test";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { channelOptions, NodeService } from "@cartoon/protos";
import * as grpc from "@grpc/grpc-js";
import { initCertificates } from "./init.ts";

const folder = await mkdtemp(join(tmpdir(), "cartoon certs "));
const certificates = join(folder, "certs");
const pem = (name: string) => readFile(join(certificates, name));

test("the certificates carry a gRPC call with mTLS, and a stranger is turned away", async () => {
  await initCertificates({ folder: certificates, hosts: ["10.0.0.7", "gpu-1.internal"], days: 30 });
  const server = new grpc.Server();
  server.addService(NodeService.service, {
    Stop: (_call: unknown, answer: grpc.sendUnaryData<{ found: boolean }>) => answer(null, { found: true }),
  });
  const credentials = grpc.ServerCredentials.createSsl(
    await pem("ca.crt"),
    [{ cert_chain: await pem("node.crt"), private_key: await pem("node.key") }],
    true,
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  const call = (key?: Buffer, certificate?: Buffer, authority?: Buffer) =>
    new Promise<string>((resolve) => {
      const client = new NodeService(
        `127.0.0.1:${port}`,
        grpc.credentials.createSsl(authority, key ?? null, certificate ?? null),
        { ...channelOptions, "grpc.ssl_target_name_override": "cartoon-node" },
      );
      client.Stop({ job_id: "a" }, { deadline: Date.now() + 3000 }, (error, answer) => {
        client.close();
        resolve(error ? "refused" : String(answer?.found));
      });
    });
  const authority = await pem("ca.crt");
  expect(await call(await pem("edge.key"), await pem("edge.crt"), authority)).toBe("true");
  expect(await call(undefined, undefined, authority)).toBe("refused");

  const foreign = join(folder, "foreign");
  await initCertificates({ folder: foreign, hosts: [], days: 30 });
  const stranger = await readFile(join(foreign, "edge.key"));
  expect(await call(stranger, await readFile(join(foreign, "edge.crt")), authority)).toBe("refused");
  server.forceShutdown();
});

test("keys are readable by their owner alone, and an authority is never overwritten", async () => {
  expect((await stat(join(certificates, "ca.key"))).mode & 0o077).toBe(0);
  expect(initCertificates({ folder: certificates, hosts: [], days: 30 })).rejects.toThrow("already there");
  await rm(folder, { recursive: true });
});
