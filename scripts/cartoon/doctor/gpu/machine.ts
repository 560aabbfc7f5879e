import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { onnxRuntimeLibraries } from "@cartoon/gpu-pool/onnx/library-folder";
import { neededLibraries } from "./elf.ts";
import { CUDA_PACKAGES, LOADED_LATER, PROVIDER, type VendorPackage } from "./packages.ts";

/** What is looked at, and where things are put. */
export interface GpuMachine {
  /** ONNX Runtime's own libraries, where the provider belongs. */
  runtimeFolder: string;
  runtimeVersion: string;
  /** Downloads, and CUDA libraries in `lib`; nodes have it as CARTOON_CUDA_DIR. */
  cudaDir: string;
  /** Folders that the loader looks into besides. */
  libraryFolders: readonly string[];
  /** Names that the system's loader knows. */
  systemLibraries: ReadonlySet<string>;
}

/** This machine. */
export async function thisMachine(cudaDir: string): Promise<GpuMachine> {
  const { folder, version } = onnxRuntimeLibraries();
  return {
    runtimeFolder: folder,
    runtimeVersion: version,
    cudaDir,
    libraryFolders: (process.env.LD_LIBRARY_PATH ?? "").split(":").filter(Boolean),
    systemLibraries: await loaderCache(),
  };
}

/** Names in the loader's cache, by `ldconfig -p`. */
async function loaderCache(): Promise<Set<string>> {
  for (const program of ["ldconfig", "/sbin/ldconfig"]) {
    try {
      const child = Bun.spawn([program, "-p"], { stdio: ["ignore", "pipe", "ignore"] });
      const text = await new Response(child.stdout).text();
      return new Set(text.split("\n").flatMap((line) => /^\s+(\S+) \(.*x86-64/.exec(line)?.[1] ?? []));
    } catch {
      // No such program: its cache is not known either.
    }
  }
  return new Set();
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** What {@link installProvider} writes beside the libraries: which they are. */
export const PROVIDER_RECORD = "cuda-provider.json";

/** Why the CUDA provider is of no use; undefined when it is in place. */
export async function providerProblem(machine: GpuMachine): Promise<string | undefined> {
  if (machine.runtimeVersion !== PROVIDER.version)
    return `onnxruntime-node is ${machine.runtimeVersion}, the provider is for ${PROVIDER.version}`;
  const record = await readFile(join(machine.runtimeFolder, PROVIDER_RECORD), "utf8").catch(() => undefined);
  const files = Object.entries(record === undefined ? {} : (JSON.parse(record) as Record<string, number>));
  if (files.length === 0) {
    const alone = await isThere(join(machine.runtimeFolder, "libonnxruntime_providers_cuda.so"));
    return alone ? undefined : "ONNX Runtime's CUDA provider is not installed";
  }
  for (const [name, bytes] of files) {
    const { size } = await stat(join(machine.runtimeFolder, name)).catch(() => ({ size: -1 }));
    if (size !== bytes) return `${name} is not the one that belongs to the provider`;
  }
  return undefined;
}

/** CUDA libraries that the provider needs, and those of them that are nowhere to be found. */
export async function cudaLibraries(machine: GpuMachine): Promise<{ needed: string[]; missing: string[] }> {
  const known = new Set(CUDA_PACKAGES.flatMap(({ files }) => files.map(({ name }) => name)));
  const provider = join(machine.runtimeFolder, "libonnxruntime_providers_cuda.so");
  const linked = (await neededLibraries(provider)).filter((name) => known.has(name));
  const needed = [...linked, ...LOADED_LATER];
  const folders = [join(machine.cudaDir, "lib"), machine.runtimeFolder, ...machine.libraryFolders];
  const listings = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
  const found = new Set(listings.flat());
  return {
    needed,
    missing: needed.filter((name) => !found.has(name) && !machine.systemLibraries.has(name)),
  };
}

/** The packages that hold the given libraries. */
export function packagesFor(libraries: readonly string[]): VendorPackage[] {
  return CUDA_PACKAGES.filter(({ files }) => files.some(({ name }) => libraries.includes(name)));
}
