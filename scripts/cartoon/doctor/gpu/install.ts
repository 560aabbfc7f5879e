import { mkdir, rm, stat, statfs, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { download } from "@cartoon/gpu-pool/packs/pull/download";
import { cudaLibraries, type GpuMachine, PROVIDER_RECORD, packagesFor, providerProblem } from "./machine.ts";
import { PROVIDER, type VendorPackage } from "./packages.ts";
import { unpack } from "./wheel.ts";

export interface InstallOptions {
  /** Origin of the Python index's files, or of a mirror with the same paths. */
  origin?: string | undefined;
  /** Packages instead of the pinned ones. */
  provider?: VendorPackage;
  /** A wheel on this machine with the provider, for another version of CUDA. */
  wheel?: string;
  onStart?: (item: VendorPackage) => void;
  onBytes?: (item: VendorPackage, done: number) => void;
  signal?: AbortSignal;
}

/**
 * Puts ONNX Runtime's CUDA provider in place where it is missing. Going on where an earlier try has stopped; what came
 * is checked against its pinned hash before any of it is used.
 * @returns whether anything was done
 */
export async function installProvider(machine: GpuMachine, options: InstallOptions): Promise<boolean> {
  const item = options.provider ?? PROVIDER;
  if (machine.runtimeVersion !== item.version)
    throw new Error(
      `onnxruntime-node is ${machine.runtimeVersion}: the provider must be of the same version`,
    );
  if (!options.wheel && !(await providerProblem(machine))) return false;
  if (options.wheel) await unpackAll(options.wheel, item, machine.runtimeFolder);
  else await installPackage(item, machine.runtimeFolder, machine, options);
  const sizes = await Promise.all(
    item.files.map(async ({ name }) => [name, (await stat(join(machine.runtimeFolder, name))).size] as const),
  );
  const record = join(machine.runtimeFolder, PROVIDER_RECORD);
  await writeFile(record, `${JSON.stringify(Object.fromEntries(sizes))}\n`);
  return true;
}

/**
 * Puts the CUDA and cuDNN libraries that the provider misses into the machine's folder for them.
 * @param packages where each library is
 * @returns names of the packages that were installed
 */
export async function installCudaLibraries(
  machine: GpuMachine,
  options: InstallOptions & { packages?: (libraries: readonly string[]) => VendorPackage[] },
): Promise<string[]> {
  const { missing } = await cudaLibraries(machine);
  const items = (options.packages ?? packagesFor)(missing);
  for (const item of items) await installPackage(item, join(machine.cudaDir, "lib"), machine, options);
  return items.map(({ name, version }) => `${name} ${version}`);
}

async function installPackage(
  item: VendorPackage,
  folder: string,
  machine: GpuMachine,
  { origin, onStart, onBytes, signal }: InstallOptions,
): Promise<void> {
  if (!origin)
    throw new Error(
      `${item.name} ${item.version} is missing: say where the Python index you use keeps its files, with --packages https://HOST`,
    );
  onStart?.(item);
  const target = join(machine.cudaDir, "packages", basename(item.path));
  await mkdir(join(machine.cudaDir, "packages"), { recursive: true });
  await checkDisk(machine.cudaDir, item);
  let done = 0;
  await download({
    url: `${origin.replace(/\/$/, "")}/${item.path}`,
    headers: {},
    file: { path: basename(item.path), bytes: item.bytes, sha256: item.sha256 },
    target,
    onBytes: (bytes) => {
      done = Math.min(item.bytes, done + bytes);
      onBytes?.(item, done);
    },
    signal,
  });
  await unpackAll(target, item, folder);
  await rm(target, { force: true });
}

async function unpackAll(wheel: string, { files }: VendorPackage, folder: string): Promise<void> {
  for (const { path, name } of files) await unpack(wheel, path, join(folder, name));
}

/** Unpacked, libraries take about twice the space; both are there at once. */
async function checkDisk(folder: string, { name, bytes }: VendorPackage): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const gb = (value: number) => `${(value / 1e9).toFixed(1)} GB`;
  if (bavail * bsize < 3 * bytes)
    throw new Error(`${folder} has ${gb(bavail * bsize)} free, ${name} takes ${gb(3 * bytes)}`);
}
