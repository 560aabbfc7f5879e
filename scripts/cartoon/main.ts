#!/usr/bin/env bun
// `bun run cartoon COMMAND`: one entry to everything.
import { defineCommand, renderUsage, runCommand } from "citty";
import packageJson from "../../package.json" with { type: "json" };
import { certs } from "./commands/certs.ts";
import { demoGui } from "./commands/demo-gui.ts";
import { doctor } from "./commands/doctor.ts";
import { keys } from "./commands/keys.ts";
import { models } from "./commands/models.ts";
import { node } from "./commands/node.ts";
import { render } from "./commands/render.ts";
import { runpod, worker } from "./commands/runpod.ts";
import { api, web } from "./commands/serve.ts";
import { EXIT, exitCodeOf, messageOf } from "./exit.ts";
import { commandOf } from "./help.ts";

const main = defineCommand({
  meta: {
    name: "cartoon",
    version: packageJson.version,
    description: "Prompt and dialogue in, a talking two-character cartoon out.",
  },
  subCommands: { web, api, worker, node, render, "demo-gui": demoGui, models, keys, certs, doctor, runpod },
});

async function run(args: string[]): Promise<number> {
  if (args.includes("--version") || args[0] === "-v") {
    console.log(packageJson.version);
    return EXIT.ok;
  }
  const { command, parents } = await commandOf(main, args);
  const asksForHelp = args.some((arg) => arg === "--help" || arg === "-h");
  if (asksForHelp || !command.run) {
    console.log(await renderUsage(command, parents.at(-1)));
    return asksForHelp ? EXIT.ok : EXIT.usage;
  }
  const { result } = await runCommand(command, { rawArgs: args.slice(parents.length) });
  return typeof result === "number" ? result : EXIT.ok;
}

run(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`cartoon: ${messageOf(error)}`);
    process.exit(exitCodeOf(error));
  },
);
