import { spawn } from "node:child_process";
import { once } from "node:events";

export interface FfmpegRun {
  /** Path of the binary, see `findFfmpeg`. */
  ffmpeg: string;
  args: string[];
  /** Chunks written to its standard input, in order. */
  input?: Iterable<Uint8Array>;
  signal?: AbortSignal;
}

/** Somebody ended ffmpeg: for want of memory, or the machine goes down. Another try may succeed. */
export class FfmpegKilled extends Error {
  override readonly name = "FfmpegKilled";
}

const LOG_BYTES = 4_000;

/** Runs ffmpeg to its end. Throws with the last lines of its log when it fails, and the abort reason when aborted. */
export async function runFfmpeg({ ffmpeg, args, input, signal }: FfmpegRun): Promise<void> {
  signal?.throwIfAborted();
  const child = spawn(ffmpeg, ["-hide_banner", "-nostdin", "-loglevel", "error", "-y", ...args], {
    stdio: [input ? "pipe" : "ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-LOG_BYTES);
  });
  const closed = new Promise<{ code: number | null; by: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, by) => resolve({ code, by }));
  });
  const abort = () => child.kill("SIGKILL");
  signal?.addEventListener("abort", abort, { once: true });
  try {
    if (input && child.stdin) await feed(child.stdin, input);
    const { code, by } = await closed;
    signal?.throwIfAborted();
    if (by) throw new FfmpegKilled(`ffmpeg was ended by ${by}`);
    if (code !== 0) throw new Error(`ffmpeg ended with ${code}: ${log.trim() || "no log"}`);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Writes every chunk, waiting for the pipe to drain; a reader that goes away early is reported by its exit code. */
async function feed(stdin: NodeJS.WritableStream, input: Iterable<Uint8Array>): Promise<void> {
  let open = true;
  const gone = new Promise<void>((resolve) => {
    const end = () => {
      open = false;
      resolve();
    };
    stdin.once("error", end);
    stdin.once("close", end);
  });
  for (const chunk of input) {
    if (!open) return;
    if (!stdin.write(chunk)) await Promise.race([once(stdin, "drain").catch(() => undefined), gone]);
  }
  if (open) stdin.end();
}
