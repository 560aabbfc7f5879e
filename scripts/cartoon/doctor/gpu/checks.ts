import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Finding } from "../findings.ts";
import { cudaLibraries, type GpuMachine, providerProblem } from "./machine.ts";

/** A card as the driver describes it. */
export interface Gpu {
  index: number;
  name: string;
  driver: string;
  capability: number;
  freeMiB: number;
  totalMiB: number;
}

const MIN_DRIVER = 580;
const MIN_CAPABILITY = 7.5;
/** Free memory for the picture, 32 frames in one pass, and the voice together, in GiB, from measured sizes. */
const ROOM = { sdxl: 37, sdxlSmall: 16, sd15: 10 };
const SELF_TEST = fileURLToPath(import.meta.resolve("@cartoon/gpu-pool/onnx/self-test"));
const SELF_TEST_MS = 60_000;
/** float32 matrix products on a GPU round to TF32. */
const MAX_ERROR = 1e-2;
const FIX = "run `cartoon doctor --fix`";

/** The machine's NVIDIA cards; undefined without a driver. */
export async function findGpus(program = "nvidia-smi"): Promise<Gpu[] | undefined> {
  const query = "--query-gpu=index,name,driver_version,compute_cap,memory.free,memory.total";
  try {
    const child = Bun.spawn([program, query, "--format=csv,noheader,nounits"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const text = await new Response(child.stdout).text();
    return (await child.exited) === 0 ? parseGpus(text) : undefined;
  } catch {
    return undefined;
  }
}

/** Lines of `nvidia-smi --query-gpu=index,name,driver_version,compute_cap,memory.free,memory.total`. */
export function parseGpus(csv: string): Gpu[] {
  return csv
    .split("\n")
    .map((line) => line.split(",").map((part) => part.trim()))
    .filter((parts) => parts.length === 6)
    .map(([index, name = "", driver = "", capability, free, total]) => ({
      ...{ index: Number(index), name, driver, capability: Number(capability) },
      ...{ freeMiB: Number(free), totalMiB: Number(total) },
    }));
}

/** What a card is good for. */
export function gpuFinding(gpu: Gpu): Finding {
  const free = gpu.freeMiB / 1024;
  const name = `gpu ${gpu.index}`;
  const detail = `${gpu.name}, driver ${gpu.driver}, compute capability ${gpu.capability}, ${free.toFixed(1)} of ${(gpu.totalMiB / 1024).toFixed(1)} GiB free`;
  if (Number.parseInt(gpu.driver, 10) < MIN_DRIVER)
    return { name, state: "bad", detail, advice: `CUDA 13 needs driver ${MIN_DRIVER} or newer` };
  if (gpu.capability < MIN_CAPABILITY)
    return { name, state: "bad", detail, advice: `CUDA 13 needs compute capability ${MIN_CAPABILITY}` };
  if (free >= ROOM.sdxl) return { name, state: "ok", detail };
  if (free >= ROOM.sdxlSmall)
    return { name, state: "ok", detail, advice: "sdxl is drawn in the mode that spares memory" };
  const advice =
    free >= ROOM.sd15
      ? "room for sd15; sdxl may have to fall back on it"
      : "too little free memory: end what else uses the card, or take a larger one";
  return { name, state: free >= ROOM.sd15 ? "note" : "bad", detail, advice };
}

/** Driver, cards, CUDA provider, CUDA libraries, and a second of work on each card. */
export async function* gpuFindings(
  machine: GpuMachine,
  gpus: readonly Gpu[] | undefined,
): AsyncGenerator<Finding> {
  if (!gpus || gpus.length === 0) {
    yield (await hasNvidiaDevice())
      ? {
          name: "gpu",
          state: "bad",
          detail: "there is an NVIDIA card, but no driver answers",
          advice: `install NVIDIA's driver ${MIN_DRIVER} or newer (in a container: start it with --gpus all)`,
        }
      : { name: "gpu", state: "note", detail: "no NVIDIA driver: the node works on the CPU" };
    return;
  }
  for (const gpu of gpus) yield gpuFinding(gpu);
  const problem = await providerProblem(machine);
  if (problem) {
    yield { name: "provider", state: "bad", detail: problem, advice: FIX };
    return;
  }
  yield { name: "provider", state: "ok", detail: `CUDA provider of ONNX Runtime ${machine.runtimeVersion}` };
  const libraries = await librariesFinding(machine);
  yield libraries;
  if (libraries.state === "ok") for (const { index } of gpus) yield await selfTest(machine, "cuda", index);
}

export async function librariesFinding(machine: GpuMachine): Promise<Finding> {
  const { needed, missing } = await cudaLibraries(machine);
  return missing.length > 0
    ? { name: "cuda", state: "bad", detail: `missing: ${missing.join(", ")}`, advice: FIX }
    : { name: "cuda", state: "ok", detail: needed.join(", ") };
}

/** Runs a small graph in a process of its own and compares it with the CPU. */
export async function selfTest(
  machine: Pick<GpuMachine, "cudaDir" | "libraryFolders">,
  provider: "cuda" | "cpu",
  index: number,
): Promise<Finding> {
  const name = "self-test";
  const child = Bun.spawn([process.execPath, SELF_TEST, provider, String(index)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      LD_LIBRARY_PATH: [join(machine.cudaDir, "lib"), ...machine.libraryFolders].join(":"),
    },
    timeout: SELF_TEST_MS,
  });
  const [out, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) {
    const reason = /with error: ([^\n]*)/.exec(errors) ?? /error: ([^\n]*)/i.exec(errors);
    const why = reason?.[1] ?? errors.trim().split("\n").at(-1) ?? "it ended without a word";
    return { name, state: "bad", detail: `${provider} ${index}: ${why}` };
  }
  const { error, seconds, ms } = JSON.parse(out) as { error: number; seconds: number; ms: number };
  const sound = error < MAX_ERROR;
  const detail = `${provider} ${index}: error ${error.toExponential(1)}, ready in ${seconds.toFixed(1)} s, then ${ms.toFixed(1)} ms a run`;
  return sound
    ? { name, state: "ok", detail }
    : { name, state: "bad", detail, advice: "the card computes something else than the CPU" };
}

/** By the PCI bus: vendor 10de, class 03. */
async function hasNvidiaDevice(root = "/sys/bus/pci/devices"): Promise<boolean> {
  for (const device of await readdir(root).catch(() => [])) {
    const read = (file: string) => readFile(join(root, device, file), "utf8").catch(() => "");
    if ((await read("vendor")).startsWith("0x10de") && (await read("class")).startsWith("0x03")) return true;
  }
  return false;
}
