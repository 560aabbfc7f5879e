import { askDriver } from "../supervisor/nvidia-smi.ts";
import type { Device } from "./messages.ts";

const MIB = 1024 ** 2;

/**
 * Bytes that are free on a runner's GPU, as the driver tells. A runner sees its GPU alone, by CUDA_VISIBLE_DEVICES.
 * @returns undefined on the CPU and where the driver does not tell
 */
export async function freeDeviceMemory(device: Device): Promise<number | undefined> {
  if (device.kind === "cpu") return undefined;
  const gpu = process.env.CUDA_VISIBLE_DEVICES?.split(",")[0] || String(device.index);
  const query = [`--id=${gpu}`, "--query-gpu=memory.free", "--format=csv,noheader,nounits"];
  const text = (await askDriver(query)).trim();
  return /^\d+$/.test(text) ? Number(text) * MIB : undefined;
}
