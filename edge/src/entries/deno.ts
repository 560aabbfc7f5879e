import { runEdge } from "./run.ts";
import { serveDeno } from "./serve-deno.ts";

await runEdge(serveDeno);
