import { defineCommand } from "citty";
import { startNode } from "../../lib/stack.ts";
import { defaultDataDir, describeEnvironment } from "../environment.ts";
import { aborted, EXIT, Interrupted, interruption } from "../exit.ts";

export const node = defineCommand({
  meta: {
    name: "node",
    description: "A GPU node for edges elsewhere: cartoon node --listen 127.0.0.1:50051 --devices cuda:0",
  },
  args: {
    listen: {
      type: "string",
      description: "HOST:PORT of its gRPC server, or none",
      default: process.env.CARTOON_NODE_LISTEN || "127.0.0.1:50051",
    },
    edges: {
      type: "string",
      description: "Edges that it dials, for a node behind NAT: edge.example.com:50052",
    },
    devices: { type: "string", description: "cpu, cuda:0 or cuda:0,cuda:1 …" },
    pack: { type: "string", description: "Pack that is loaded at start" },
    "data-dir": {
      type: "string",
      description: "Folder for caches and work in progress",
      default: defaultDataDir,
    },
    reload: { type: "boolean", description: "Start again when a source file changes" },
    debug: { type: "boolean", description: "Detailed logs" },
  },
  async run({ args }) {
    const signal = interruption();
    const [environment] = describeEnvironment(args.debug ? { CARTOON_DEBUG: "1" } : {});
    console.error(environment);
    const child = startNode(args.listen, {
      dataDir: args["data-dir"],
      reload: args.reload,
      verbose: true,
      env: {
        ...(args.edges ? { CARTOON_EDGES: args.edges } : {}),
        ...(args.devices ? { CARTOON_DEVICES: args.devices } : {}),
        ...(args.pack ? { CARTOON_PACK: args.pack } : {}),
        ...(args.debug ? { CARTOON_DEBUG: "1" } : {}),
      },
    });
    try {
      return await Promise.race([child.failure(), aborted(signal)]);
    } catch (error) {
      if (error instanceof Interrupted) return EXIT.ok;
      throw error;
    } finally {
      await child.stop();
    }
  },
});
