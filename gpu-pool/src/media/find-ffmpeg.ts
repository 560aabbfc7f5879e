import { access, constants } from "node:fs/promises";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";

const require = createRequire(import.meta.url);

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Path that an npm package gives for its ffmpeg binary; undefined where the package is not installed. */
function fromPackage(name: string): string | undefined {
  try {
    const exported: unknown = require(name);
    if (typeof exported === "string") return exported;
    if (exported && typeof exported === "object" && "path" in exported && typeof exported.path === "string") {
      return exported.path;
    }
  } catch {
    // Optional dependency: its absence is the answer.
  }
  return undefined;
}

async function onPath(path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    const candidate = join(folder, "ffmpeg");
    if (folder && (await isExecutable(candidate))) return candidate;
  }
  return undefined;
}

/**
 * The ffmpeg to use: FFMPEG_PATH, then ffmpeg-static, then the system's, then the binary inside
 * @ffmpeg-installer/ffmpeg. Throws when FFMPEG_PATH is set to something that cannot be run, or when there is none.
 */
export async function findFfmpeg(
  env: Record<string, unknown> & { FFMPEG_PATH?: string; PATH?: string },
): Promise<string> {
  if (env.FFMPEG_PATH) {
    if (await isExecutable(env.FFMPEG_PATH)) return env.FFMPEG_PATH;
    throw new Error(`FFMPEG_PATH names ${env.FFMPEG_PATH}, which cannot be executed`);
  }
  const bundled = fromPackage("ffmpeg-static");
  if (bundled && (await isExecutable(bundled))) return bundled;
  const system = await onPath(env.PATH ?? "");
  if (system) return system;
  const installer = fromPackage("@ffmpeg-installer/ffmpeg");
  if (installer && (await isExecutable(installer))) return installer;
  throw new Error("no ffmpeg found: set FFMPEG_PATH, install ffmpeg, or run the package installation again");
}
