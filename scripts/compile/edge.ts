// The compiled edge: everything of it in one file, no runtime and no folder beside it.
import "./defaults.ts";
import { runEdge } from "@cartoon/edge/entries/run";
import { serveBun } from "@cartoon/edge/entries/serve-bun";
import { defineCommand } from "citty";
import { keys } from "../cartoon/commands/keys.ts";
import { describeEnvironment } from "../cartoon/environment.ts";
import { runProgram } from "../cartoon/program.ts";

const serve = defineCommand({
  meta: {
    name: "serve",
    description: "Form and API for nodes that run elsewhere: cartoon-edge serve --nodes gpu-1:50051",
  },
  args: {
    host: { type: "string", description: "Address to listen on; default: HOST or 127.0.0.1" },
    port: { type: "string", description: "Port to listen on; default: PORT or 8000" },
    nodes: { type: "string", description: "Nodes, HOST:PORT separated by commas; default: CARTOON_NODES" },
    "data-dir": { type: "string", description: "Folder for database and results; default: cartoon-data" },
    debug: { type: "boolean", description: "Detailed logs" },
  },
  async run({ args }) {
    const given = {
      HOST: args.host,
      PORT: args.port,
      CARTOON_NODES: args.nodes,
      CARTOON_DATA_DIR: args["data-dir"],
      CARTOON_DEBUG: args.debug ? "1" : undefined,
    };
    for (const [name, value] of Object.entries(given)) if (value !== undefined) process.env[name] = value;
    for (const line of describeEnvironment({})) console.log(line);
    await runEdge(serveBun);
    // The edge ends the process itself, on SIGTERM or Ctrl-C.
    await new Promise(() => {});
  },
});

await runProgram(
  defineCommand({
    meta: {
      name: "cartoon-edge",
      description: "The HTTP and gRPC edge of Cartoon Animation Worker in one file: cartoon-edge serve",
    },
    subCommands: { serve, keys },
  }),
);
