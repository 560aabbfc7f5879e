#!/usr/bin/env bun
// `bun run cartoon COMMAND`: one entry to everything.
import { main } from "./commands.ts";
import { runProgram } from "./program.ts";

await runProgram(main);
