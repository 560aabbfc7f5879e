/** Exit codes of every command; 130 is what shells give a program that Ctrl-C has ended. */
export const EXIT = { ok: 0, failed: 1, usage: 2, config: 78, interrupted: 130 } as const;

/** What `--help` says about them. */
export const EXIT_HELP = [
  "0    done",
  "1    it was tried and failed",
  "2    wrong words on the command line; nothing was tried",
  "78   the environment is not valid; every problem is listed",
  "130  interrupted",
];

/** Something is wrong with the words on the command line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export class Interrupted extends Error {
  override readonly name = "Interrupted";
  constructor() {
    super("interrupted");
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof Interrupted) return EXIT.interrupted;
  if (error instanceof Error && error.name === "EnvironmentError") return EXIT.config;
  return error instanceof Error && error.name === "CLIError" ? EXIT.usage : EXIT.failed;
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Aborts on the first Ctrl-C or SIGTERM; a second one ends the process at once. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort(new Interrupted());
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return controller.signal;
}

/** Rejects when the signal fires. */
export const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
