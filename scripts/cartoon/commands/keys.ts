import { join } from "node:path";
import {
  createKey,
  type Database,
  listKeys,
  openDatabase,
  revokeKey,
  rotateKey,
  SCOPES,
  type Scope,
} from "@cartoon/db";
import { parseEnv } from "@cartoon/edge/env";
import { createNodeToken } from "@cartoon/edge/nodes/token";
import { loadSecret } from "@cartoon/edge/store/open";
import { defineCommand } from "citty";
import { defaultDataDir } from "../environment.ts";
import { EXIT, UsageError } from "../exit.ts";

const DAY_MS = 86_400_000;

async function withDatabase<T>(work: (db: Database) => Promise<T>): Promise<T> {
  const config = parseEnv({ ...process.env, CARTOON_DATA_DIR: defaultDataDir });
  const secretKey = await loadSecret(config);
  const db = await openDatabase(config.databaseUrl ?? `sqlite:${join(config.dataDir, "cartoon.db")}`, {
    secretKey,
  });
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

function scopesOf(text: string): Scope[] {
  return text.split(",").map((word) => {
    const scope = SCOPES.find((known) => known === word.trim());
    if (!scope) throw new UsageError(`--scopes takes some of ${SCOPES.join(", ")}, not "${word}"`);
    return scope;
  });
}

function days(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0)) throw new UsageError(`--days takes a positive number, not "${text}"`);
  return Date.now() + value * DAY_MS;
}

const create = defineCommand({
  meta: { name: "create", description: "Make a key; it is shown once: cartoon keys create --tenant acme" },
  args: {
    tenant: { type: "string", description: "Whose jobs it sees", default: "default" },
    name: { type: "string", description: "What it is for", default: "" },
    scopes: { type: "string", description: `Some of ${SCOPES.join(",")}`, default: "render,read,cancel" },
    days: { type: "string", description: "Days until it expires; default: never" },
  },
  async run({ args }) {
    const { tenant, name } = args;
    const input = { tenant, name, scopes: scopesOf(args.scopes), expiresAt: days(args.days) };
    const { key, token } = await withDatabase((db) => createKey(db, input));
    console.error(`key ${key.id} for ${key.tenant} (${key.scopes.join(", ")}); it cannot be shown again:`);
    console.log(token);
    return EXIT.ok;
  },
});

const list = defineCommand({
  meta: { name: "list", description: "All keys, without their secrets" },
  async run() {
    const day = (ms: number | null) => (ms === null ? "-" : new Date(ms).toISOString().slice(0, 10));
    for (const key of await withDatabase((db) => listKeys(db))) {
      const state = key.revokedAt ? `revoked ${day(key.revokedAt)}` : `expires ${day(key.expiresAt)}`;
      console.log(
        [
          key.id,
          key.prefix,
          key.tenant,
          key.scopes.join(","),
          state,
          `used ${day(key.lastUsedAt)}`,
          key.name,
        ].join("  "),
      );
    }
    return EXIT.ok;
  },
});

const nodeToken = defineCommand({
  meta: { name: "node", description: "A token with which a node registers itself: cartoon keys node gpu-1" },
  args: {
    name: { type: "positional", description: "Name of the node", required: true },
    days: { type: "string", description: "Days until it expires", default: "365" },
  },
  async run({ args }) {
    const config = parseEnv({ ...process.env, CARTOON_DATA_DIR: defaultDataDir });
    const expiresAt = days(args.days) ?? 0;
    console.log(createNodeToken(await loadSecret(config), args.name, Math.floor(expiresAt / 1000)));
    return EXIT.ok;
  },
});

const id = { type: "positional", description: "Id of the key", required: true } as const;

const revoke = defineCommand({
  meta: { name: "revoke", description: "End a key for good" },
  args: { id },
  async run({ args }) {
    await withDatabase((db) => revokeKey(db, args.id));
    console.log(`${args.id} is revoked`);
    return EXIT.ok;
  },
});

const rotate = defineCommand({
  meta: { name: "rotate", description: "Replace a key; the old one works for some hours more" },
  args: { id, hours: { type: "string", description: "Hours that the old one still works", default: "24" } },
  async run({ args }) {
    const { key, token } = await withDatabase((db) => rotateKey(db, args.id, Number(args.hours) * 3_600_000));
    console.error(`key ${key.id} replaces ${args.id}; it cannot be shown again:`);
    console.log(token);
    return EXIT.ok;
  },
});

export const keys = defineCommand({
  meta: { name: "keys", description: "API keys: cartoon keys create|list|revoke|rotate|node" },
  subCommands: { create, list, revoke, rotate, node: nodeToken },
});
