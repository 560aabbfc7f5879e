import process from "node:process";
import { z } from "zod";

const port = z.int().min(1).max(65_535);

/** What a server process tells the process that has started it, once it takes calls. */
export const Listening = z.object({
  type: z.literal("listening"),
  /** Port of its main service: HTTP of an edge, gRPC of a node. */
  port,
  /** Port of the edge's job service over gRPC. */
  grpcPort: port.optional(),
  /** Port at which nodes dial in to the edge. */
  attachPort: port.optional(),
});
export type Listening = z.infer<typeof Listening>;

/**
 * Tells the parent process where this one listens, over the IPC channel. Without a channel it does nothing. A server
 * that is started on port 0 is found that way: a port picked before it starts may be somebody else's by then.
 */
export function tellParent(ports: Omit<Listening, "type">): void {
  if (process.connected) process.send?.({ type: "listening", ...ports } satisfies Listening);
}
