import { spawn } from "node:child_process";

export interface FfmpegStart {
  /** Path of the binary, see `findFfmpeg`. */
  ffmpeg: string;
  args: string[];
  signal?: AbortSignal;
}

export interface FfmpegRun extends FfmpegStart {
  /** Chunks written to its standard input, in order. */
  input?: Iterable<Uint8Array>;
}

/** Somebody ended ffmpeg: for want of memory, or the machine goes down. Another try may succeed. */
export class FfmpegKilled extends Error {
  override readonly name = "FfmpegKilled";
}

const LOG_BYTES = 4_000;

/** An ffmpeg that runs. */
export interface Ffmpeg {
  /**
   * Writes to its standard input; resolves once ffmpeg has taken all but what the pipe holds. One write at a time. An
   * ffmpeg that is gone takes anything: `end` tells why it went.
   */
  write(chunk: Uint8Array): Promise<void>;
  /** Closes its input and waits. Throws with the last lines of its log when it fails, and the abort reason when aborted. */
  end(): Promise<void>;
  /** Ends it at once, and waits until it is gone. Never throws. */
  kill(): Promise<void>;
}

/** Starts ffmpeg; aborting the signal ends it. @throws the abort reason when aborted already */
export function startFfmpeg({ ffmpeg, args, signal }: FfmpegStart, input: "pipe" | "ignore"): Ffmpeg {
  signal?.throwIfAborted();
  const child = spawn(ffmpeg, ["-hide_banner", "-nostdin", "-loglevel", "error", "-y", ...args], {
    stdio: [input, "ignore", "pipe"],
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
  const gone = closed.catch(() => undefined).then(() => signal?.removeEventListener("abort", abort));
  const { stdin } = child;
  let open = stdin !== null;
  let wake = () => {};
  const shut = () => {
    open = false;
    wake();
  };
  stdin?.on("drain", () => wake());
  // A reader that goes away early is reported by its exit code.
  stdin?.on("error", shut);
  void gone.then(shut);
  return {
    async write(chunk) {
      if (!open || !stdin || stdin.write(chunk)) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    },
    async end() {
      if (open) stdin?.end();
      const { code, by } = await closed;
      signal?.throwIfAborted();
      if (by) throw new FfmpegKilled(`ffmpeg was ended by ${by}`);
      if (code !== 0) throw new Error(`ffmpeg ended with ${code}: ${log.trim() || "no log"}`);
    },
    async kill() {
      abort();
      await gone;
    },
  };
}

/** Runs ffmpeg to its end. Throws with the last lines of its log when it fails, and the abort reason when aborted. */
export async function runFfmpeg({ input, ...start }: FfmpegRun): Promise<void> {
  const ffmpeg = startFfmpeg(start, input ? "pipe" : "ignore");
  try {
    for (const chunk of input ?? []) await ffmpeg.write(chunk);
    await ffmpeg.end();
  } finally {
    await ffmpeg.kill();
  }
}
