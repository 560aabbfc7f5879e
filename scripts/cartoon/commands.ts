import { type CommandDef, defineCommand } from "citty";
import packageJson from "../../package.json" with { type: "json" };
import { bench } from "./commands/bench.ts";
import { certs } from "./commands/certs.ts";
import { characters } from "./commands/characters.ts";
import { completionOf } from "./commands/completion.ts";
import { demoGui } from "./commands/demo-gui.ts";
import { doctor } from "./commands/doctor.ts";
import { keys } from "./commands/keys.ts";
import { models } from "./commands/models.ts";
import { node } from "./commands/node.ts";
import { render } from "./commands/render.ts";
import { runpod, worker } from "./commands/runpod.ts";
import { api, web } from "./commands/serve.ts";
import { storyboard } from "./commands/storyboard.ts";

/** Every command of the launcher. */
export const main: CommandDef = defineCommand({
  meta: {
    name: "cartoon",
    version: packageJson.version,
    description: "Prompt and dialogue in, a talking two-character cartoon out.",
  },
  subCommands: {
    ...{
      web,
      api,
      worker,
      node,
      render,
      storyboard,
      "demo-gui": demoGui,
      models,
      characters,
      keys,
      certs,
      doctor,
      runpod,
      bench,
    },
    completion: completionOf(() => main),
  },
});
