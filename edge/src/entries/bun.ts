import { runEdge } from "./run.ts";
import { serveBun } from "./serve-bun.ts";

await runEdge(serveBun);
