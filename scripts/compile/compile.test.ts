import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestNode, type TestNode } from "@cartoon/gpu-pool/supervisor/testing/test-node";
import { channelOptions, JobService, Listening } from "@cartoon/protos";
import type { GetResponse__Output } from "@cartoon/protos/gen/GetResponse";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { root } from "../lib/root.ts";
import { compileEdge } from "./compile.ts";
import { ownTarget } from "./targets.ts";

setDefaultTimeout(120_000);

const folder = await mkdtemp(join(tmpdir(), "cartoon-compiled-"));
const home = join(folder, "empty");
let url = "";
let grpcPort: number | undefined;
let node: TestNode;
let edge: Bun.Subprocess<"ignore", "pipe", "pipe"> | undefined;

/** Words before a command that hide this repository from it; none where the system does not let us. */
function hidden(): string[] {
  const hide = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', root];
  if (process.platform !== "linux" || !Bun.which("unshare")) return [];
  return Bun.spawnSync([...hide, "true"]).exitCode === 0 ? hide : [];
}

beforeAll(async () => {
  const target = ownTarget();
  if (!target) throw new Error(`the edge is not compiled for ${process.platform} ${process.arch}`);
  const program = await compileEdge(folder, target, "own");
  expect(await readdir(folder)).toEqual([program.slice(folder.length + 1)]);
  await mkdir(home);
  await rename(program, join(home, "edge"));
  node = await startTestNode();
  await node.ready();
  edge = Bun.spawn([...hidden(), join(home, "edge"), "serve", "--port", "0"], {
    cwd: home,
    env: {
      PATH: process.env.PATH,
      CARTOON_NODES: `127.0.0.1:${node.server.port}`,
      CARTOON_GRPC_PORT: "0",
    },
    stdio: ["ignore", "pipe", "pipe"],
    serialization: "json",
    ipc: (message) => {
      const ports = Listening.parse(message);
      url = `http://127.0.0.1:${ports.port}`;
      grpcPort = ports.grpcPort;
    },
  });
  for (let tries = 0; tries < 200; tries++) {
    if (url && (await fetch(`${url}/readyz`).catch(() => undefined))?.ok) return;
    await Bun.sleep(50);
  }
  edge.kill("SIGKILL");
  throw new Error(await new Response(edge.stderr).text());
});

afterAll(async () => {
  edge?.kill("SIGTERM");
  const code = await edge?.exited;
  await node?.close();
  await rm(folder, { recursive: true, force: true });
  expect(code).toBe(0);
});

const text = async (path: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url + path, { headers });
  expect(response.status, path).toBe(200);
  return response.text();
};

test("the compiled edge carries form, docs and their files", async () => {
  expect(await text("/", { accept: "text/html" })).toContain("<form");
  expect(await text("/form/form.js")).toContain("addEventListener");
  expect(await text("/form/form.css")).toContain("light-dark(");
  expect(await text("/docs", { accept: "text/html" })).toContain("swagger-ui");
  expect((await text("/docs/swagger-ui-bundle.js")).length).toBeGreaterThan(500_000);
  expect(JSON.parse(await text("/openapi.json")).paths).toHaveProperty("/v1/renders");
  expect(JSON.parse(await text("/health")).nodes).toMatchObject([{ health: "ready" }]);
});

test("it answers a job, over HTTP and over gRPC", async () => {
  const submitted = await fetch(`${url}/v1/renders`, {
    method: "POST",
    headers: { "content-type": "application/json", prefer: "wait=60" },
    body: JSON.stringify({ prompt: "temo waves", clip: { width: 64, height: 64, num_frames: 8 }, seed: 3 }),
  });
  let job = await submitted.json();
  expect(submitted.ok, JSON.stringify(job)).toBe(true);
  while (!["succeeded", "failed"].includes(job.status)) {
    await Bun.sleep(100);
    job = JSON.parse(await text(`/v1/renders/${job.id}`));
  }
  expect(job).toMatchObject({ status: "succeeded", error: null });
  const clip = job.results.find(({ name }: { name: string }) => name === "clip.mp4");
  const bytes = await (await fetch(clip.url)).bytes();
  expect(new TextDecoder("latin1").decode(bytes.slice(4, 8))).toBe("ftyp");

  const client = new JobService(`127.0.0.1:${grpcPort}`, credentials.createInsecure(), channelOptions);
  const found = await new Promise<GetResponse__Output | undefined>((resolve, reject) =>
    client.get({ id: job.id }, (error: ServiceError | null, answer) =>
      error ? reject(error) : resolve(answer),
    ),
  );
  client.close();
  expect(found?.job?.id).toBe(job.id);
});

test("help, version and keys are in it too", async () => {
  const program = join(home, "edge");
  const run = async (...args: string[]) => {
    const child = Bun.spawn([program, ...args], {
      cwd: home,
      env: { CARTOON_DATA_DIR: join(home, "keys"), NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    return { out: (await new Response(child.stdout).text()).trim(), code: await child.exited };
  };
  expect(await run("--version")).toEqual({ out: "6.0.0", code: 0 });
  expect((await run("serve", "--help")).out).toContain("--data-dir");
  expect((await run("keys", "create")).out).toMatch(/^ck_/);
  expect((await run("dance")).code).toBe(2);
});
