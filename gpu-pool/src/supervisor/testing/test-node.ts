import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { channelOptions, NodeService, type RenderSpec } from "@cartoon/protos";
import type { RunRequest } from "@cartoon/protos/gen/RunRequest";
import type { RunResponse__Output } from "@cartoon/protos/gen/RunResponse";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { parseNodeEnv } from "../../env.ts";
import { Node } from "../node.ts";
import { type NodeServer, serveNode } from "../server.ts";
import { writeSpeakingPack } from "./speaking-pack.ts";

export type Client = InstanceType<typeof NodeService>;

/** A node as it is deployed: gRPC over loopback, runners as processes, a store that takes PUTs over HTTP. */
export interface TestNode {
  node: Node;
  server: NodeServer;
  client: Client;
  store: TestStore;
  /** Private hosts that requests may name in URLs. */
  allowHosts: string[];
  ready(): Promise<void>;
  close(): Promise<void>;
}

export interface TestStore {
  origin: string;
  objects: Map<string, Uint8Array>;
  /** Answers with this status instead of taking an object, as long as it says so. */
  refuse: (name: string) => number | undefined;
  stop(): Promise<void>;
}

function startStore(): TestStore {
  const objects = new Map<string, Uint8Array>();
  const store: TestStore = { origin: "", objects, refuse: () => undefined, stop: async () => {} };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const name = new URL(request.url).pathname.slice(1);
      if (request.method === "PUT") {
        const body = await request.bytes();
        const refused = store.refuse(name);
        if (refused !== undefined) return new Response("", { status: refused });
        objects.set(name, body);
        return new Response("");
      }
      const found = objects.get(name);
      return found ? new Response(Buffer.from(found)) : new Response("", { status: 404 });
    },
  });
  store.origin = `http://127.0.0.1:${server.port}`;
  store.stop = () => server.stop(true);
  return store;
}

/** Starts a node on the tiny speaking pack; `env` overrides its settings, `damage` may spoil the pack before. */
export async function startTestNode(
  env: Record<string, string> = {},
  damage: (pack: string) => Promise<void> = async () => {},
): Promise<TestNode> {
  const folder = await mkdtemp(join(tmpdir(), "cartoon node-"));
  await mkdir(join(folder, "packs"));
  await rename(await writeSpeakingPack(), join(folder, "packs/tiny"));
  await damage(join(folder, "packs/tiny"));
  const settings = parseNodeEnv({
    CARTOON_NODE_ID: "test-node",
    CARTOON_NODE_LISTEN: "127.0.0.1:0",
    CARTOON_PACK_DIRS: join(folder, "packs"),
    CARTOON_PACK: "tiny",
    CARTOON_THREADS: "1",
    CARTOON_WORK_DIR: join(folder, "work"),
    CARTOON_CACHE_DIR: join(folder, "cache"),
    FFMPEG_PATH: createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg").path,
    ...env,
  });
  const allowHosts = settings.CARTOON_FETCH_ALLOW;
  const node = await Node.start(settings);
  const server = await serveNode(node, settings);
  const client = new NodeService(`127.0.0.1:${server.port}`, credentials.createInsecure(), channelOptions);
  const store = startStore();
  return {
    ...{ node, server, client, store, allowHosts },
    ready: () => Promise.race([waitFor(node, "NODE_HEALTH_READY"), setupFailure(node)]),
    close: async () => {
      client.close();
      await node.close(0);
      await server.close();
      await store.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Ends only when the node can't get ready. */
async function setupFailure(node: Node): Promise<never> {
  await waitFor(node, "NODE_HEALTH_SETUP_FAILED");
  throw new Error(node.pool.status().detail);
}

export async function waitFor(node: Node, health: string): Promise<void> {
  if (node.pool.status().health === health) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const unsubscribe = node.pool.subscribe((status) => status.health === health && resolve());
  await promise;
  unsubscribe();
}

export const clip: NonNullable<RenderSpec["clip"]> = {
  prompt: "temo and felfel on the moon",
  characters: [
    { name: "temo", weight: 0.5 },
    { name: "felfel", weight: 0.5 },
  ],
  width: 96,
  height: 64,
  num_frames: 8,
  fps: 8,
  num_inference_steps: 6,
  guidance_scale: 5,
  guidance_rescale: 0,
  scheduler: "",
  seed: 42,
  prompt_travel: [],
  clip_skip: 0,
  loop: false,
  blend: "equal",
  speaker_focus: 0,
  quality: "full",
};

export const speech: NonNullable<RenderSpec["speech"]> = {
  lines: [
    { speaker: "temo", text: "Hello there!" },
    { speaker: "felfel", text: "Good day." },
  ],
  max_new_tokens: 240,
  guidance_scale: 2,
  temperature: 1,
  top_p: 0.9,
  top_k: 12,
  seed: 42,
  voices: [],
};

export const output: RenderSpec["output"] = {
  formats: ["mp4", "gif", "wav", "poster"],
  fit: "pingpong",
  captions: true,
};

const ALL = ["clip.mp4", "clip.gif", "speech.wav", "poster.png", "captions.vtt", "manifest.json"];

/** A request that puts its artefacts under `<job>/` in the store. */
export function runRequest(
  store: TestStore,
  spec: Partial<RenderSpec>,
  more: Partial<RunRequest> & { job_id: string },
): RunRequest {
  return {
    attempt: 1,
    fence: 1,
    spec: { pack: "", deterministic: false, output, ...spec } as RunRequest["spec"],
    uploads: ALL.map((name) => ({
      name,
      put_url: `${store.origin}/${more.job_id}/${name}`,
      content_type: "",
      headers: {},
    })),
    deadline_ms: 0,
    ...more,
  };
}

export interface RunOutcome {
  events: RunResponse__Output[];
  error?: ServiceError;
}

/** Runs to the end of the stream; `onEvent` sees every event as it comes. */
export async function run(
  client: Client,
  request: RunRequest,
  onEvent: (event: RunResponse__Output) => void = () => {},
): Promise<RunOutcome> {
  const events: RunResponse__Output[] = [];
  try {
    for await (const event of client.run(request) as AsyncIterable<RunResponse__Output>) {
      events.push(event);
      onEvent(event);
    }
    return { events };
  } catch (error) {
    return { events, error: error as ServiceError };
  }
}

export const last = ({ events }: RunOutcome): RunResponse__Output | undefined => events.at(-1);
