import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Has runners that are started from now on preload the limiter of memory; what it limits is told by its variables.
 * Linux only. @returns ends that for runners to come
 */
export async function limitRunners(limits: Record<string, string>): Promise<() => void> {
  // A file that imports the limiter: BUN_OPTIONS can't name a path with a space in it.
  const file = join(await mkdtemp(join(tmpdir(), "cartoon-preload-")), "preload.ts");
  const limiter = new URL("../../onnx/testing/limit-memory-preload.ts", import.meta.url).href;
  await writeFile(file, `import ${JSON.stringify(limiter)};\n`);
  process.env.BUN_OPTIONS = `--preload=${file}`;
  Object.assign(process.env, limits);
  return () => {
    process.env.BUN_OPTIONS = "";
    for (const name in limits) delete process.env[name];
  };
}
