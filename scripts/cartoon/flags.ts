import type { ArgsDef, CommandDef } from "citty";
import { UsageError } from "./exit.ts";
import { resolve } from "./help.ts";

/** Commands that hand their words on to another program unread. */
const PASSES_ON = new WeakSet<CommandDef>();

export function passesOn(command: CommandDef): CommandDef {
  PASSES_ON.add(command);
  return command;
}

/** The flags of a command with their dashes, `--no-…` included. */
export async function flagsOf(command: CommandDef): Promise<string[]> {
  const args: ArgsDef = (await resolve(command.args)) ?? {};
  return Object.entries(args).flatMap(([name, arg]) => {
    if (arg.type === "positional") return [];
    const aliases = "alias" in arg && arg.alias ? [arg.alias].flat() : [];
    const names = [name, ...aliases].map((one) => (one.length === 1 ? `-${one}` : `--${one}`));
    return arg.type === "boolean" && arg.default === true ? [...names, `--no-${name}`] : names;
  });
}

/** @throws UsageError for a flag that the command does not have */
export async function checkFlags(command: CommandDef, rawArgs: readonly string[]): Promise<void> {
  if (PASSES_ON.has(command)) return;
  const known = await flagsOf(command);
  for (const arg of rawArgs) {
    if (arg === "--") return;
    const [flag = ""] = arg.split("=", 1);
    if (/^-\d/.test(flag) || !/^--?[a-z]/i.test(flag)) continue;
    if (!known.includes(flag))
      throw new UsageError(`unknown flag "${flag}"; there are ${known.join(", ") || "none"} and --help`);
  }
}
