import type { GpuUsage__Output } from "@cartoon/protos/gen/GpuUsage";

const TIMEOUT_MS = 5_000;
const MIB = 1024 * 1024;
const QUERY = ["index", "uuid", "memory.used", "memory.total", "utilization.gpu"];

/** A GPU as the driver sees it. */
export interface Gpu extends GpuUsage__Output {
  uuid: string;
}

/**
 * Reads the answer to `nvidia-smi --query-gpu=… --format=csv,noheader,nounits`: a line for each GPU, memory in MiB,
 * utilization in percent. What the driver does not know of a GPU (`[N/A]`) is 0; a line without memory is none.
 */
export function parseGpus(text: string): Gpu[] {
  return text.split("\n").flatMap((line) => {
    const [index, uuid = "", used, total, busy] = line.split(",").map((field) => field.trim());
    const number = (field: string | undefined) =>
      /^\d+(\.\d+)?$/.test(field ?? "") ? Number(field) : undefined;
    const [at, usedMib, totalMib] = [number(index), number(used), number(total)];
    if (at === undefined || usedMib === undefined || totalMib === undefined) return [];
    return {
      ...{ index: at, uuid },
      memory_used_bytes: usedMib * MIB,
      memory_total_bytes: totalMib * MIB,
      utilization: (number(busy) ?? 0) / 100,
    };
  });
}

/** What the driver's program answers; nothing where there is none, or where it does not answer in time. */
export async function askDriver(query: readonly string[]): Promise<string> {
  try {
    const child = Bun.spawn(["nvidia-smi", ...query], {
      stdio: ["ignore", "pipe", "ignore"],
      timeout: TIMEOUT_MS,
    });
    const text = await new Response(child.stdout).text();
    return (await child.exited) === 0 ? text : "";
  } catch {
    return "";
  }
}

/** The GPUs of this machine; none where there is no driver, or where it does not answer. */
export async function readGpus(): Promise<Gpu[]> {
  return parseGpus(await askDriver([`--query-gpu=${QUERY.join(",")}`, "--format=csv,noheader,nounits"]));
}
