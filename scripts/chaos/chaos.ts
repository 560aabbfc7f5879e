// `bun scripts/chaos/chaos.ts --jobs 200 --seconds 60 --database sqlite|postgres`: see README.md.
import { parseArgs } from "node:util";
import { z } from "zod";
import { runChaos } from "./run.ts";
import { formatReport } from "./table.ts";

const whole = (otherwise: number, min: number, max: number) =>
  z.coerce.number().int().min(min).max(max).default(otherwise);

const Options = z.object({
  jobs: whole(200, 1, 100_000),
  seconds: whole(60, 1, 86_400),
  edges: whole(2, 1, 8),
  nodes: whole(3, 1, 16),
  seed: whole(Math.floor(Math.random() * 1e6), 0, 2 ** 31),
  database: z.enum(["sqlite", "postgres"]).default("sqlite"),
  "lease-seconds": whole(3, 1, 600),
  "settle-seconds": whole(240, 1, 3_600),
  attached: z.boolean().default(false),
  keep: z.boolean().default(false),
});

const text = { type: "string" } as const;
const { values } = parseArgs({
  options: {
    ...{ jobs: text, seconds: text, edges: text, nodes: text, seed: text, database: text },
    ...{ "lease-seconds": text, "settle-seconds": text },
    attached: { type: "boolean" },
    keep: { type: "boolean" },
  },
});
const parsed = Options.safeParse(values);
if (!parsed.success) {
  for (const issue of parsed.error.issues) console.error(`--${issue.path.join(".")}: ${issue.message}`);
  process.exit(64);
}
const { "lease-seconds": leaseSeconds, "settle-seconds": settleSeconds, ...options } = parsed.data;
const report = await runChaos({
  ...options,
  leaseSeconds,
  settleSeconds,
  log: (line) => console.error(line),
});
console.log(formatReport(report));
if (options.keep) console.error(`logs and data: ${report.folder}`);
process.exit(report.verdict.problems.length > 0 ? 1 : 0);
