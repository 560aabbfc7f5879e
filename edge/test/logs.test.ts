import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createKey, openDatabase } from "@cartoon/db";
import { sleep } from "./harness.ts";
import { ScriptedNode } from "./scripted-node.ts";

// A process of its own: what it writes is what an operator's collector reads.
const isDeno = "Deno" in globalThis;
const entry = fileURLToPath(new URL(`../src/entries/${isDeno ? "deno" : "bun"}.ts`, import.meta.url));
const SECRET = "a secret that no log may show, 32 bytes and more";

const node = new ScriptedNode();
let edge: ChildProcess | undefined;
let dataDir = "";
let output = "";
let token = "";
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "cartoon-logs-"));
  await node.start();
  const db = await openDatabase(join(dataDir, "cartoon.db"));
  token = (await createKey(db, { tenant: "acme", name: "service" })).token;
  await db.close();
  edge = spawn(process.execPath, [...(isDeno ? ["run", "-A"] : []), entry], {
    env: {
      PATH: process.env.PATH,
      CARTOON_ENV: "production",
      CARTOON_AUTH: "keys",
      CARTOON_DEBUG: "1",
      CARTOON_DATA_DIR: dataDir,
      CARTOON_NODES: node.address,
      CARTOON_URL_SECRET: SECRET,
      PORT: "0",
    },
  });
  for (const stream of [edge.stdout, edge.stderr])
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
});
afterAll(async () => {
  edge?.kill("SIGKILL");
  node.kill();
  await rm(dataDir, { recursive: true, force: true });
});

interface Line {
  level: string;
  message: string;
  properties: Record<string, unknown>;
}
const lines = () =>
  output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line);
async function line(message: string): Promise<Line> {
  for (;;) {
    const found = lines().find((one) => one.message === message);
    if (found) return found;
    await sleep(10);
  }
}

test("every line is JSON; the job's lines name the job and the request that made it, and none a secret", async () => {
  const { url } = (await line("edge listens")).properties;
  await line("node");
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    "x-request-id": "req-from-the-caller",
  };
  const body = JSON.stringify({
    prompt: "temo waves",
    webhook: { url: "https://example.invalid/?sig=hush" },
  });
  const made = await fetch(`${url}/v1/renders`, { method: "POST", headers, body });
  expect(made.headers.get("x-request-id")).toBe("req-from-the-caller");
  const { id } = await made.json();
  const wait = await fetch(`${url}/v1/renders/${id}?wait=20`, { headers });
  const { results } = await wait.json();
  await (await fetch(results[0].url)).arrayBuffer();

  const request = lines().find(
    ({ message, properties }) => message === "request" && properties.status === 202,
  );
  expect(request?.properties).toMatchObject({
    method: "POST",
    path: "/v1/renders",
    requestId: "req-from-the-caller",
    tenant: "acme",
  });
  const done = await line("render done");
  expect(done.properties).toMatchObject({ jobId: id, requestId: "req-from-the-caller", attempt: 1 });
  edge?.kill("SIGTERM");
  await new Promise((resolve) => edge?.once("exit", resolve));

  // Deno itself says something once, in words.
  const written = output.split("\n").filter((one) => one.trim() !== "" && !one.startsWith("Deno.serve: "));
  for (const one of written) expect(() => JSON.parse(one)).not.toThrow();
  const { search } = new URL(results[0].url);
  for (const secret of [token, SECRET, "hush", new URLSearchParams(search).get("sig") ?? "?"])
    expect(output.includes(secret)).toBe(false);
}, 60_000);
