import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serveBun } from "../src/entries/serve-bun.ts";
import { serveDeno } from "../src/entries/serve-deno.ts";
import { type Edge, type Serve, start } from "../src/main.ts";
import type { Render } from "../src/renders/view.ts";
import { type Script, ScriptedNode } from "./scripted-node.ts";

export interface Harness {
  edge: Edge;
  node: ScriptedNode;
  url: string;
  dataDir: string;
  /** JSON in, status and JSON out. */
  call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;
  /** Waits until the render has ended. */
  finished: (id: string) => Promise<Render>;
  stop: () => Promise<void>;
}

/** The server of the runtime that the tests run on. */
export const serveHere: Serve = "Deno" in globalThis ? serveDeno : serveBun;

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  body: any;
}

export interface HarnessOptions {
  script?: Script;
  permits?: number;
  env?: Record<string, string>;
  serve?: Serve;
}

/** A real edge on a port of its own: SQLite, folder store and gRPC, with a scripted node behind it. */
export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const node = new ScriptedNode(options.script, { permits: options.permits });
  await node.start();
  const dataDir = await mkdtemp(join(tmpdir(), "cartoon-edge-"));
  const edge = await start({
    env: {
      CARTOON_DATA_DIR: dataDir,
      PORT: "0",
      CARTOON_NODES: node.address,
      CARTOON_NODE_REST_SECONDS: "1",
      CARTOON_QUIET: process.env.LOUD ? "0" : "1",
      ...options.env,
    },
    serve: options.serve ?? serveHere,
  });
  const call: Harness["call"] = async (method, path, body, headers = {}) => {
    const response = await fetch(edge.url + path, {
      method,
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
      redirect: "manual",
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text ? JSON.parse(text) : text,
    };
  };
  for (let i = 0; (await call("GET", "/health")).body.status !== "ok" && i < 250; i++) await sleep(20);
  return {
    edge,
    node,
    url: edge.url,
    dataDir,
    call,
    finished: async (id) => {
      for (;;) {
        const answer = await call("GET", `/v1/renders/${id}?wait=30`);
        if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
        if (answer.body.completed_at !== null) return answer.body as Render;
      }
    },
    stop: async () => {
      await edge.stop(2_000);
      node.kill();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
