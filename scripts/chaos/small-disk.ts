import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

const MIB = 1024 * 1024;

/** A folder on a small file system of its own, which can be filled to the last byte. */
export interface SmallDisk {
  fill(): void;
  free(): void;
  unmount(): void;
}

/** Mounts one at `folder`; undefined where this process may not mount. */
export function mountSmallDisk(folder: string, megabytes: number): SmallDisk | undefined {
  mkdirSync(folder, { recursive: true });
  const done = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder]);
  if (done.status !== 0) return undefined;
  const filler = join(folder, "filler");
  const free = () => rmSync(filler, { force: true });
  return {
    fill() {
      const file = openSync(filler, "w");
      for (const chunk of [Buffer.alloc(MIB), Buffer.alloc(4096)]) writeUntilFull(file, chunk);
      closeSync(file);
    },
    free,
    unmount() {
      free();
      // Lazily: a log or a socket may still be open for a moment.
      spawnSync("umount", ["-l", folder]);
    },
  };
}

function writeUntilFull(file: number, chunk: Buffer): void {
  try {
    while (writeSync(file, chunk) === chunk.length);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}
