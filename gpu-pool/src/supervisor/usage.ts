import { readFile } from "node:fs/promises";
import type { NodeUsage__Output } from "@cartoon/protos/gen/NodeUsage";
import type { Device } from "../runner/messages.ts";
import { readGpus } from "./nvidia-smi.ts";

const SAMPLE_MS = 10_000;
const KIB = 1024;

export interface UsageSources {
  devices: readonly Device[];
  /** Processes of the runners. */
  pids: () => number[];
  onSample: () => void;
}

/** Which of the machine's GPUs are this node's: those that it may see, by index or by UUID. */
export function ownGpus<T extends { index: number; uuid: string }>(
  gpus: readonly T[],
  devices: readonly Device[],
  visible: string | undefined,
): T[] {
  const allowed = visible?.split(",").filter(Boolean);
  const names = devices.flatMap((device) =>
    device.kind === "cuda" ? (allowed?.[device.index] ?? String(device.index)) : [],
  );
  return gpus.filter(({ index, uuid }) =>
    names.some((name) => name === String(index) || uuid.startsWith(name)),
  );
}

/** Bytes of resident memory of a process; 0 where the system does not tell. */
async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * KIB;
}

/** What this node measures of itself: the memory of its GPUs and runners, and how often LoRAs changed. */
export class UsageMeter {
  readonly #sources: UsageSources;
  readonly #timer: Timer;
  readonly #loras = new WeakMap<object, string>();
  #usage: NodeUsage__Output = { gpus: [], runner_memory_bytes: 0, lora_swaps: 0 };

  constructor(sources: UsageSources) {
    this.#sources = sources;
    this.#timer = setInterval(() => void this.sample(), SAMPLE_MS);
    this.#timer.unref();
  }

  read(): NodeUsage__Output {
    return this.#usage;
  }

  /** A slot draws with these LoRAs now; other ones than before are a swap. */
  drawsWith(slot: object, pack: string, characters: readonly { name: string; weight: number }[]): void {
    if (characters.length === 0) return;
    const key = JSON.stringify([pack, ...characters.map(({ name, weight }) => [name, weight])]);
    const before = this.#loras.get(slot);
    this.#loras.set(slot, key);
    if (before !== key) this.#usage = { ...this.#usage, lora_swaps: this.#usage.lora_swaps + 1 };
  }

  async sample(): Promise<void> {
    const { devices, pids, onSample } = this.#sources;
    const onGpu = devices.some(({ kind }) => kind === "cuda");
    const [found, memory] = await Promise.all([
      onGpu ? readGpus() : [],
      Promise.all(pids().map(residentBytes)),
    ]);
    const own = ownGpus(found, devices, process.env.CUDA_VISIBLE_DEVICES);
    this.#usage = {
      ...this.#usage,
      gpus: own.map(({ uuid: _uuid, ...usage }) => usage),
      runner_memory_bytes: memory.reduce((sum, bytes) => sum + bytes, 0),
    };
    onSample();
  }

  /** Bytes in use of a device's GPU at this moment; 0 for a CPU, and where the driver does not tell. */
  async memoryOf(device: Device): Promise<number> {
    if (device.kind === "cpu") return 0;
    const [own] = ownGpus(await readGpus(), [device], process.env.CUDA_VISIBLE_DEVICES);
    return own?.memory_used_bytes ?? 0;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
