import { simulator, workerEnvironment } from "@cartoon/edge/runpod/simulator/simulator";
import { startRunpodWorker } from "@cartoon/edge/runpod/worker/start";
import { PACK_SOURCES, pullPack } from "@cartoon/gpu-pool";
import { defineCommand } from "citty";
import { packDirs } from "../../lib/pack-dirs.ts";
import { nodeReady, startStack } from "../../lib/stack.ts";
import { defaultDataDir, describeEnvironment } from "../environment.ts";
import { aborted, EXIT, Interrupted, interruption } from "../exit.ts";
import { packsOnVolume, RUNPOD_VOLUME } from "../runpod-volume.ts";

async function pullTo(pack: string, root: string, signal: AbortSignal): Promise<void> {
  const source = PACK_SOURCES[pack];
  if (!source) throw new Error(`there is no source of the pack "${pack}"`);
  console.error(`pulling ${pack} into ${root}`);
  const hub = { url: process.env.HF_ENDPOINT || "https://huggingface.co", token: process.env.HF_TOKEN };
  await pullPack(source, { root, hub, signal, onProgress: () => {} });
}

export const worker = defineCommand({
  meta: {
    name: "worker",
    description: "A RunPod serverless worker: takes its jobs as RunPod's environment says",
  },
  args: {
    concurrency: { type: "string", description: "Jobs at once", default: "1" },
    "data-dir": { type: "string", description: "Folder for database and results", default: defaultDataDir },
    debug: { type: "boolean", description: "Detailed logs" },
  },
  async run({ args }) {
    const signal = interruption();
    const env = {
      CARTOON_PACK_DIRS: await packsOnVolume({
        volume: RUNPOD_VOLUME,
        dirs: packDirs(defaultDataDir),
        pack: process.env.CARTOON_PACK || "toon",
        pull: (pack, root) => pullTo(pack, root, signal),
      }),
      ...(args.debug ? { CARTOON_DEBUG: "1" } : {}),
    };
    for (const line of describeEnvironment({ ...env, CARTOON_DATA_DIR: args["data-dir"] }))
      console.error(line);
    const stack = await startStack({
      host: "127.0.0.1",
      port: 0,
      dataDir: args["data-dir"],
      env,
      verbose: args.debug,
    });
    try {
      await Promise.race([nodeReady(stack.url), stack.failed, aborted(signal)]);
      const options = { env: process.env, edgeUrl: stack.url, concurrency: Number(args.concurrency) };
      await Promise.race([startRunpodWorker(options, signal), stack.failed]);
      return EXIT.ok;
    } catch (error) {
      if (error instanceof Interrupted) return EXIT.ok;
      throw error;
    } finally {
      await stack.stop();
    }
  },
});

const simulate = defineCommand({
  meta: { name: "simulate", description: "RunPod's platform on this machine, for its clients and workers" },
  args: {
    host: { type: "string", description: "Address to listen on", default: "127.0.0.1" },
    port: { type: "string", description: "Port to listen on", default: "8008" },
    endpoint: { type: "string", description: "Name of the endpoint", default: "cartoon" },
    key: { type: "string", description: "API key that both sides must show" },
  },
  async run({ args }) {
    const signal = interruption();
    const { app } = simulator(args.key);
    const server = Bun.serve({
      hostname: args.host,
      port: Number(args.port),
      idleTimeout: 0,
      fetch: app.fetch,
    });
    console.log(
      `clients: base URL http://${args.host}:${server.port}/v2, endpoint ${args.endpoint}\nworkers:`,
    );
    const env = workerEnvironment(`http://${args.host}:${server.port}`, args.endpoint, "local", args.key);
    for (const [name, value] of Object.entries(env)) console.log(`  export ${name}='${value}'`);
    await aborted(signal).catch(() => undefined);
    await server.stop(true);
    return EXIT.ok;
  },
});

export const runpod = defineCommand({
  meta: { name: "runpod", description: "RunPod: cartoon runpod simulate" },
  subCommands: { simulate },
});
