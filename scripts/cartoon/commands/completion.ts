import { type CommandDef, defineCommand } from "citty";
import { commandTree, isShell, SHELLS } from "../completion.ts";
import { EXIT, UsageError } from "../exit.ts";

/** @param main the program whose commands are completed; known only once all of them are defined */
export const completionOf = (main: () => CommandDef) =>
  defineCommand({
    meta: { name: "completion", description: "Completion for a shell: cartoon completion bash" },
    args: { shell: { type: "positional", description: Object.keys(SHELLS).join(", "), required: true } },
    async run({ args }) {
      if (!isShell(args.shell))
        throw new UsageError(`no completion for "${args.shell}"; there is ${Object.keys(SHELLS).join(", ")}`);
      process.stdout.write(SHELLS[args.shell]("cartoon", await commandTree(main())));
      return EXIT.ok;
    },
  });
