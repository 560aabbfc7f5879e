import type { CommandDef } from "citty";
import { UsageError } from "./exit.ts";

// biome-ignore lint/suspicious/noExplicitAny: citty's own type for a command of any arguments
type AnyCommand = CommandDef<any>;

/** citty lets a value be a promise or a function of it. */
export async function resolve<T>(
  value: T | (() => T) | (() => Promise<T>) | Promise<T> | undefined,
): Promise<T | undefined> {
  return typeof value === "function" ? await (value as () => T | Promise<T>)() : await value;
}

/** The command that the words name, with those above it. @throws UsageError for an unknown one */
export async function commandOf(
  main: AnyCommand,
  args: readonly string[],
): Promise<{ command: AnyCommand; parents: AnyCommand[] }> {
  let command = main;
  const parents: AnyCommand[] = [];
  for (const arg of args) {
    const children = await resolve(command.subCommands);
    if (!children || arg.startsWith("-")) break;
    const child = await resolve(children[arg]);
    if (!child)
      throw new UsageError(`unknown command "${arg}"; there are ${Object.keys(children).join(", ")}`);
    parents.push(command);
    command = child;
  }
  return { command, parents };
}
