import process from "node:process";
import { tellParent } from "@cartoon/protos";
import { EnvironmentError } from "../env.ts";
import { type Serve, start } from "../main.ts";

/** Starts the edge as a process: ends cleanly on SIGTERM and SIGINT, at once on the second signal. */
export async function runEdge(serve: Serve): Promise<void> {
  try {
    const edge = await start({ env: process.env, serve });
    let asked = false;
    const stop = () => {
      if (asked) process.exit(130);
      asked = true;
      edge.stop().then(
        () => process.exit(0),
        (error) => {
          console.error(error);
          process.exit(1);
        },
      );
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
    tellParent({ port: edge.port, grpcPort: edge.grpcPort, attachPort: edge.attachPort });
  } catch (error) {
    console.error(error instanceof EnvironmentError ? error.message : error);
    process.exit(error instanceof EnvironmentError ? 78 : 1);
  }
}
