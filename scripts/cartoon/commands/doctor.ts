import { defineCommand } from "citty";
import { type Finding, findings, nodeFinding } from "../doctor/findings.ts";
import { EXIT } from "../exit.ts";

const MARKS = { ok: "ok  ", note: "note", bad: "BAD " } as const;

function show({ name, state, detail, advice }: Finding): void {
  console.log(`${MARKS[state]}  ${name.padEnd(10)} ${detail}`);
  if (advice) console.log(`${" ".repeat(17)}→ ${advice}`);
}

export const doctor = defineCommand({
  meta: { name: "doctor", description: "Is everything here that a render needs? Says what to do where not" },
  args: { node: { type: "string", description: "Ask only whether the node at HOST:PORT can work" } },
  async run({ args }) {
    let bad = false;
    for await (const finding of args.node ? nodeFinding(args.node) : findings()) {
      show(finding);
      bad ||= finding.state === "bad";
    }
    return bad ? EXIT.failed : EXIT.ok;
  },
});
