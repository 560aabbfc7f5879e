import { type CommandDef, renderUsage, runCommand } from "citty";
import packageJson from "../../package.json" with { type: "json" };
import { EXAMPLES } from "./examples.ts";
import { EXIT, EXIT_HELP, exitCodeOf, messageOf } from "./exit.ts";
import { checkFlags } from "./flags.ts";
import { commandOf, resolve } from "./help.ts";

async function help(program: string, words: readonly string[], usage: string): Promise<string> {
  const examples = EXAMPLES[words.join(" ") || program] ?? [];
  const section = (title: string, lines: readonly string[]) =>
    lines.length > 0 ? `\n${title}\n\n${lines.map((line) => `  ${line}`).join("\n")}\n` : "";
  return usage + section("EXAMPLES", examples) + section("EXIT CODES", words.length === 0 ? EXIT_HELP : []);
}

async function run(main: CommandDef, program: string, args: string[]): Promise<number> {
  if (args[0] === "--version" || args[0] === "-v") {
    console.log(packageJson.version);
    return EXIT.ok;
  }
  const { command, parents } = await commandOf(main, args);
  const words = args.slice(0, parents.length);
  const rawArgs = args.slice(parents.length);
  const asksForHelp = rawArgs.some((arg) => arg === "--help" || arg === "-h");
  if (asksForHelp || !command.run) {
    console.log(await help(program, words, await renderUsage(command, parents.at(-1))));
    return asksForHelp ? EXIT.ok : EXIT.usage;
  }
  await checkFlags(command, rawArgs);
  const { result } = await runCommand(command, { rawArgs });
  return typeof result === "number" ? result : EXIT.ok;
}

/** Runs what the command line says and ends the process with its exit code. */
export async function runProgram(main: CommandDef): Promise<never> {
  const program = (await resolve(main.meta))?.name ?? "cartoon";
  const code = await run(main, program, process.argv.slice(2)).catch((error: unknown) => {
    console.error(`${program}: ${messageOf(error)}`);
    return exitCodeOf(error);
  });
  process.exit(code);
}
