import { readFile, statfs } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { openDatabase } from "@cartoon/db";
import { parseEnv } from "@cartoon/edge/env";
import { loadSecret, openStore } from "@cartoon/edge/store/open";
import { findFfmpeg, listPacks, loadPack, parseNodeEnv } from "@cartoon/gpu-pool";
import { channelOptions, NodeService } from "@cartoon/protos";
import type { DescribeResponse__Output } from "@cartoon/protos/gen/DescribeResponse";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";
import { packDirs } from "../../lib/pack-dirs.ts";
import { defaultDataDir } from "../environment.ts";
import { messageOf } from "../exit.ts";

export interface Finding {
  name: string;
  state: "ok" | "note" | "bad";
  detail: string;
  /** What to do about it. */
  advice?: string;
}

type Check = () => Promise<Omit<Finding, "name">>;

const GIB = 1024 ** 3;
const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;

const edgeConfig = () => parseEnv({ ...process.env, CARTOON_DATA_DIR: defaultDataDir });

const CHECKS: Record<string, { advice: string; run: Check }> = {
  machine: {
    advice: "",
    run: async () => ({
      state: totalmem() < 3 * GIB ? "note" : "ok",
      detail: `${process.platform} ${process.arch}, ${availableParallelism()} cores, ${gib(totalmem())}, Bun ${Bun.version}`,
      advice: totalmem() < 3 * GIB ? "the built-in pack wants about 2.5 GiB" : undefined,
    }),
  },
  settings: {
    advice: "correct the variables named above",
    run: async () => {
      const { environment, auth } = edgeConfig();
      parseNodeEnv(process.env);
      return { state: "ok", detail: `${environment}, access: ${auth}` };
    },
  },
  ffmpeg: {
    advice: "run `bun install` again, install ffmpeg, or set FFMPEG_PATH",
    run: async () => ({ state: "ok", detail: await findFfmpeg({ ...process.env }) }),
  },
  models: {
    advice: "run `git checkout gpu-pool/packs` or set CARTOON_PACK_DIRS",
    run: checkModels,
  },
  disk: { advice: "make room, or set CARTOON_DATA_DIR to another disk", run: checkDisk },
  database: { advice: "check DATABASE_URL, or that the data folder can be written", run: checkDatabase },
  store: { advice: "check the S3_ variables, or that the data folder can be written", run: checkStore },
  clock: { advice: "set the clock: signed URLs depend on it", run: checkClock },
};

/** Everything that a render on this machine depends on, one by one. */
export async function* findings(): AsyncGenerator<Finding> {
  for (const [name, { advice, run }] of Object.entries(CHECKS)) {
    yield await run().then(
      (found) => ({ name, ...found }),
      (error: unknown) => ({ name, state: "bad" as const, detail: messageOf(error), advice }),
    );
  }
}

async function checkModels(): Promise<Omit<Finding, "name">> {
  const env = parseNodeEnv({ ...process.env, CARTOON_PACK_DIRS: packDirs(defaultDataDir) });
  const { packs, broken } = await listPacks(env.CARTOON_PACK_DIRS);
  const wanted = packs.find(({ manifest }) => manifest.name === env.CARTOON_PACK);
  if (!wanted) {
    const why =
      broken.find(({ name }) => name === env.CARTOON_PACK)?.problems.join("; ") ?? "it is not there";
    throw new Error(`pack "${env.CARTOON_PACK}": ${why}`);
  }
  await loadPack(wanted.folder, { verify: true });
  return {
    state: "ok",
    detail: `${packs.map(({ manifest }) => `${manifest.name} ${manifest.version}`).join(", ")}; hashes of ${env.CARTOON_PACK} are right`,
  };
}

async function checkDisk(): Promise<Omit<Finding, "name">> {
  const { bavail, bsize } = await statfs(join(defaultDataDir, "..")).catch(() => statfs("."));
  const free = bavail * bsize;
  const detail = `${gib(free)} free for ${defaultDataDir}`;
  return free > 2 * GIB ? { state: "ok", detail } : { state: "bad", detail, advice: CHECKS.disk?.advice };
}

async function checkDatabase(): Promise<Omit<Finding, "name">> {
  const config = edgeConfig();
  const url = config.databaseUrl ?? `sqlite:${join(config.dataDir, "cartoon.db")}`;
  const db = await openDatabase(url, { secretKey: await loadSecret(config) });
  await db.close();
  return { state: "ok", detail: config.databaseUrl ? "PostgreSQL answers, schema up to date" : url };
}

async function checkStore(): Promise<Omit<Finding, "name">> {
  const config = edgeConfig();
  const store = openStore(config, await loadSecret(config), () => "http://127.0.0.1");
  await store.check();
  return { state: "ok", detail: store.kind === "s3" ? "the bucket answers" : join(config.dataDir, "store") };
}

/** Compares this machine's clock with the store's, where there is one on the network. */
async function checkClock(): Promise<Omit<Finding, "name">> {
  const { store } = edgeConfig();
  const now = new Date();
  if (now.getUTCFullYear() < 2025) throw new Error(`it is not ${now.toISOString()}`);
  if (store.kind !== "s3") return { state: "ok", detail: now.toISOString() };
  const response = await fetch(store.s3.endpoint, { method: "HEAD", signal: AbortSignal.timeout(5_000) });
  const skew = Math.abs(Date.parse(response.headers.get("date") ?? "") - Date.now()) / 1000;
  if (Number.isNaN(skew))
    return { state: "ok", detail: `${now.toISOString()} (the store does not tell its own)` };
  if (skew > 60) throw new Error(`${Math.round(skew)} s away from the store's`);
  return { state: "ok", detail: `within ${Math.ceil(skew)} s of the store's` };
}

/** Beside a node with mTLS its own certificate also opens its door. */
async function nodeCredentials(): Promise<ChannelCredentials> {
  const {
    CARTOON_TLS_CERT: cert,
    CARTOON_TLS_KEY: key,
    CARTOON_TLS_CLIENT_CA: ca,
  } = parseNodeEnv(process.env);
  if (!cert || !key || !ca) return credentials.createInsecure();
  const [root, privateKey, chain] = await Promise.all([ca, key, cert].map((path) => readFile(path)));
  return credentials.createSsl(root, privateKey, chain);
}

/** TLS dialled by address needs the name in the certificate. */
function nodeName(): ChannelOptions {
  if (!process.env.CARTOON_TLS_CERT) return {};
  const name = process.env.CARTOON_NODE_SERVER_NAME || "cartoon-node";
  return { "grpc.ssl_target_name_override": name, "grpc.default_authority": name };
}

/** Asks a running node how it is. */
export async function* nodeFinding(address: string): AsyncGenerator<Finding> {
  const client = new NodeService(address, await nodeCredentials(), { ...channelOptions, ...nodeName() });
  try {
    const answer = await new Promise<DescribeResponse__Output>((resolve, reject) => {
      client.describe({}, { deadline: Date.now() + 4_000 }, (error, value) =>
        error || !value ? reject(error ?? new Error("no answer")) : resolve(value),
      );
    });
    const health = answer.status?.health.replace("NODE_HEALTH_", "") ?? "UNSPECIFIED";
    const usable = health === "READY" || health === "BUSY";
    yield {
      name: "node",
      state: usable ? "ok" : "bad",
      detail: [health, answer.status?.detail].filter(Boolean).join(": "),
    };
  } catch (error) {
    yield {
      name: "node",
      state: "bad",
      detail: messageOf(error),
      advice: `is a node running at ${address}?`,
    };
  } finally {
    client.close();
  }
}
