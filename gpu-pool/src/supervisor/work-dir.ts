import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** A folder of this process's own below `root`; what nodes that were killed have left there is removed. */
export async function openWorkDir(root: string): Promise<string> {
  await mkdir(root, { recursive: true });
  const left = (await readdir(root)).filter((name) => /^\d+$/.test(name) && !isAlive(Number(name)));
  await Promise.all(left.map((name) => rm(join(root, name), { recursive: true, force: true })));
  const own = join(root, String(process.pid));
  await mkdir(own, { recursive: true });
  return own;
}
