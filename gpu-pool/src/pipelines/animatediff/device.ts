import { cpuTarget } from "../../graphs/target/cpu.ts";
import type { Target } from "../../graphs/target/target.ts";
import type { SessionOptions } from "../../onnx/session.ts";
import type { LoadOptions } from "./types.ts";

/** Operator choices for a device. */
export function targetOf({ device }: LoadOptions): Target {
  if (device !== "cpu") throw new Error(`device: no graphs for ${device}; available: cpu`);
  return cpuTarget;
}

export function sessionOptions({ device, threads }: LoadOptions): SessionOptions {
  return { provider: device, intraOpThreads: threads || undefined };
}
