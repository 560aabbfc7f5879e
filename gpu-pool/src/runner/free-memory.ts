import type { Device } from "./messages.ts";

const MIB = 1024 ** 2;

/**
 * Bytes that are free on a runner's GPU, as the driver tells. A runner sees its GPU alone, by CUDA_VISIBLE_DEVICES.
 * @returns undefined on the CPU and where the driver does not tell
 */
export async function freeDeviceMemory(device: Device): Promise<number | undefined> {
  if (device.kind === "cpu") return undefined;
  const gpu = process.env.CUDA_VISIBLE_DEVICES?.split(",")[0] || String(device.index);
  try {
    const query = [`--id=${gpu}`, "--query-gpu=memory.free", "--format=csv,noheader,nounits"];
    const child = Bun.spawn(["nvidia-smi", ...query], { stdio: ["ignore", "pipe", "ignore"] });
    const text = (await new Response(child.stdout).text()).trim();
    return (await child.exited) === 0 && /^\d+$/.test(text) ? Number(text) * MIB : undefined;
  } catch {
    return undefined;
  }
}
