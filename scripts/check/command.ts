import { join } from "node:path";
import { root } from "../lib/root.ts";

export interface CommandResult {
  code: number;
  /** Standard output and error, as they came. */
  output: string;
}

/** Runs a command in the repository, or in one of its folders, to its end. Never throws for its failure. */
export async function runCommand(
  command: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<CommandResult> {
  try {
    const child = Bun.spawn(command, {
      cwd: join(root, options.cwd ?? "."),
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { code, output: out + err };
  } catch (error) {
    return { code: 127, output: String(error) };
  }
}

/** A package's command-line program, run by this very runtime. */
export const packageBin = (name: string): string[] => [
  process.execPath,
  join(root, "node_modules/.bin", name),
];
