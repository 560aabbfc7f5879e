import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { listPacks, parseNodeEnv } from "@cartoon/gpu-pool";
import { defineCommand } from "citty";
import { packDirs } from "../../lib/pack-dirs.ts";
import { startStack } from "../../lib/stack.ts";
import { defaultDataDir, describeEnvironment } from "../environment.ts";
import { aborted, EXIT, Interrupted, interruption } from "../exit.ts";

/** Tells the edge what the packs can do, as nodes otherwise would. */
async function describePacks(dataDir: string): Promise<void> {
  const env = parseNodeEnv({ ...process.env, CARTOON_PACK_DIRS: packDirs(defaultDataDir) });
  const { packs } = await listPacks(env.CARTOON_PACK_DIRS);
  const known = packs.map(({ manifest }) => ({ manifest, isDefault: manifest.name === env.CARTOON_PACK }));
  await mkdir(dataDir, { recursive: true });
  await writeFile(
    join(dataDir, "packs.json"),
    JSON.stringify(known.toSorted((a, b) => Number(b.isDefault) - Number(a.isDefault))),
  );
}

export const demoGui = defineCommand({
  meta: {
    name: "demo-gui",
    description: "The form with every control and no model loaded: cartoon demo-gui --port 7861",
  },
  args: {
    host: { type: "string", description: "Address to listen on", default: "127.0.0.1" },
    port: { type: "string", description: "Port to listen on", default: "7861" },
    reload: { type: "boolean", description: "Start again when a source file changes" },
    debug: { type: "boolean", description: "Detailed logs" },
  },
  async run({ args }) {
    const dataDir = join(defaultDataDir, "demo-gui");
    await describePacks(dataDir);
    const signal = interruption();
    // Port 9 is "discard": no node will ever answer there.
    const env = { HOST: args.host, CARTOON_DEMO: "1", ...(args.debug ? { CARTOON_DEBUG: "1" } : {}) };
    for (const line of describeEnvironment({ ...env, CARTOON_DATA_DIR: dataDir })) console.log(line);
    const stack = await startStack({
      host: args.host,
      port: Number(args.port),
      dataDir,
      nodes: ["127.0.0.1:9"],
      env,
      reload: args.reload,
      verbose: args.debug,
    });
    console.log(`listening    ${stack.url}/`);
    try {
      return await Promise.race([stack.failed, aborted(signal)]);
    } catch (error) {
      if (error instanceof Interrupted) return EXIT.ok;
      throw error;
    } finally {
      await stack.stop();
    }
  },
});
