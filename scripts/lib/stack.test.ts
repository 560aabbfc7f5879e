import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSpeakingPack } from "@cartoon/gpu-pool/supervisor/testing/speaking-pack";
import { z } from "zod";
import { startRelay } from "./relay.ts";
import { nodeReady, startStack } from "./stack.ts";

setDefaultTimeout(60_000);

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-stack-"));
  await mkdir(join(folder, "packs"));
  await rename(await writeSpeakingPack(), join(folder, "packs/tiny"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const Nodes = z.object({ nodes: z.array(z.object({ node_id: z.string() })) });

test("several start at once: each takes ports of its own, and every edge has the node beside it", async () => {
  const names = ["one", "two", "three"];
  const started = await Promise.allSettled(
    names.map((name) =>
      startStack({
        host: "127.0.0.1",
        port: 0,
        dataDir: join(folder, name),
        env: {
          CARTOON_NODE_ID: name,
          CARTOON_PACK_DIRS: join(folder, "packs"),
          CARTOON_PACK: "tiny",
          CARTOON_THREADS: "1",
        },
      }),
    ),
  );
  const stacks = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  try {
    expect(started.map((one) => (one.status === "rejected" ? String(one.reason) : "started"))).toEqual(
      names.map(() => "started"),
    );
    expect(new Set(stacks.map(({ url }) => url)).size).toBe(names.length);
    const seen = await Promise.all(
      stacks.map(async ({ url }) => {
        await nodeReady(url);
        const { nodes } = Nodes.parse(await (await fetch(`${url}/v1/nodes`)).json());
        return nodes.map(({ node_id }) => node_id);
      }),
    );
    expect(seen).toEqual(names.map((name) => [name]));
  } finally {
    await Promise.all(stacks.map((stack) => stack.stop()));
  }
});

test("a port that somebody else has is a failure, whatever answers there", async () => {
  const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("ok") });
  const port = Number(other.port);
  const options = { host: "127.0.0.1", port, dataDir: join(folder, "taken"), nodes: ["none"] };
  await expect(startStack(options)).rejects.toThrow(/the edge ended with 1:.*EADDRINUSE/s);
  await other.stop(true);
});

test("a relay leads to the port that its server has taken last", async () => {
  const servers = ["first", "second"].map((word) =>
    Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(word) }),
  );
  const relay = await startRelay();
  for (const [i, word] of ["first", "second"].entries()) {
    relay.target = Number(servers[i]?.port);
    const answer = await fetch(`http://127.0.0.1:${relay.port}`, { headers: { connection: "close" } });
    expect(await answer.text()).toBe(word);
  }
  relay.stop();
  for (const server of servers) await server.stop(true);
});
