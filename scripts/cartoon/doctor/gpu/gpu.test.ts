import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { onnxRuntimeLibraries } from "@cartoon/gpu-pool/onnx/library-folder";
import { findGpus, gpuFinding, gpuFindings, librariesFinding, selfTest } from "./checks.ts";
import { neededLibraries } from "./elf.ts";
import { installCudaLibraries, installProvider } from "./install.ts";
import { cudaLibraries, type GpuMachine, providerProblem } from "./machine.ts";
import { PROVIDER, type VendorPackage } from "./packages.ts";
import { listZip, unpack } from "./wheel.ts";

setDefaultTimeout(60_000);

let folder: string;
let server: ReturnType<typeof Bun.serve>;
const files = new Map<string, Buffer>();
/** Requests for ranges, and how much of a file is sent before the line breaks. */
let ranges: string[] = [];
let breakAfter: number | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon gpu-"));
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const file = files.get(new URL(request.url).pathname.slice(1));
      if (!file) return new Response("", { status: 404 });
      const range = /bytes=(\d+)-/.exec(request.headers.get("range") ?? "")?.[1];
      if (range) ranges.push(range);
      const rest = file.subarray(Number(range ?? 0));
      if (breakAfter !== undefined && !range) {
        const part = rest.subarray(0, breakAfter);
        breakAfter = undefined;
        const body = new ReadableStream({
          async pull(controller) {
            controller.enqueue(part);
            await Bun.sleep(50);
            controller.error(new Error("the line broke"));
          },
        });
        return new Response(body, { headers: { "content-length": String(rest.length) } });
      }
      return new Response(Uint8Array.from(rest), { status: range ? 206 : 200 });
    },
  });
});
afterAll(async () => {
  await server.stop(true);
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  ranges = [];
  breakAfter = undefined;
});

const origin = () => `http://127.0.0.1:${server.port}`;

/** A zip as wheels are: local headers, deflated or stored data, a directory. */
function zip(content: Record<string, Buffer>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [i, [name, data]] of Object.entries(content).entries()) {
    const method = i % 2 === 0 ? 8 : 0;
    const packed = method === 8 ? deflateRawSync(data) : data;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(method, 8);
    local.writeUInt32LE(packed.length, 18);
    local.writeUInt32LE(data.length, 22);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(packed.length, 20);
    central.writeUInt32LE(data.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(offset, 42);
    parts.push(local, Buffer.from(name), packed);
    directory.push(central, Buffer.from(name));
    offset += 30 + name.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(content).length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

/** A 64-bit library that needs others: one segment for all of it, one for its dynamic section. */
function library(...needed: string[]): Buffer {
  const strings = Buffer.from(`\0${needed.map((name) => `${name}\0`).join("")}`, "latin1");
  const entries: [number, number][] = [];
  let at = 1;
  for (const name of needed) {
    entries.push([1, at]);
    at += name.length + 1;
  }
  const dynamicAt = 64 + 2 * 56;
  const stringsAt = dynamicAt + 16 * (entries.length + 3);
  entries.push([5, 0x1000 + stringsAt], [10, strings.length], [0, 0]);
  const file = Buffer.alloc(stringsAt + strings.length);
  file.write("\x7fELF\x02\x01\x01", 0, "latin1");
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(2, 56);
  const segment = (i: number, type: number, offset: number, bytes: number) => {
    file.writeUInt32LE(type, 64 + i * 56);
    file.writeBigUInt64LE(BigInt(offset), 64 + i * 56 + 8);
    file.writeBigUInt64LE(BigInt(0x1000 + offset), 64 + i * 56 + 16);
    file.writeBigUInt64LE(BigInt(bytes), 64 + i * 56 + 32);
  };
  segment(0, 1, 0, file.length);
  segment(1, 2, dynamicAt, 16 * entries.length);
  for (const [i, [tag, value]] of entries.entries()) {
    file.writeBigInt64LE(BigInt(tag), dynamicAt + 16 * i);
    file.writeBigUInt64LE(BigInt(value), dynamicAt + 16 * i + 8);
  }
  strings.copy(file, stringsAt);
  return file;
}

function publish(name: string, content: Record<string, Buffer>): VendorPackage {
  const data = zip(content);
  const path = `packages/${name}.whl`;
  files.set(path, data);
  return {
    ...{ name, version: PROVIDER.version, path, bytes: data.length },
    sha256: createHash("sha256").update(data).digest("hex"),
    files: Object.keys(content).map((entry) => ({ path: entry, name: entry.split("/").at(-1) ?? entry })),
  };
}

let serial = 0;
async function machine(): Promise<GpuMachine> {
  const root = join(folder, String(serial++));
  await mkdir(join(root, "runtime"), { recursive: true });
  return {
    ...{
      runtimeFolder: join(root, "runtime"),
      runtimeVersion: PROVIDER.version,
      cudaDir: join(root, "cuda"),
    },
    ...{ libraryFolders: [], systemLibraries: new Set() },
  };
}

const CUDA = ["libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10", "libcudart.so.13"];
const provider = () =>
  publish("provider", {
    "capi/libonnxruntime_providers_cuda.so": library(...CUDA, "libcuda.so.1", "libc.so.6"),
    "capi/libonnxruntime.so.1": Buffer.from("the runtime that belongs to it"),
  });

describe("libraries", () => {
  test("what a library needs is read from its file", async () => {
    const path = join(folder, "needs.so");
    await writeFile(path, library("liba.so.1", "libb.so.2"));
    expect(await neededLibraries(path)).toEqual(["liba.so.1", "libb.so.2"]);
    const { folder: runtime } = onnxRuntimeLibraries();
    const real = join(runtime, "libonnxruntime.so.1");
    if (existsSync(real)) expect(await neededLibraries(real)).toContain("libc.so.6");
    await writeFile(path, "not a library at all, but long enough to have a header of the right size");
    expect(neededLibraries(path)).rejects.toThrow("not a 64-bit library");
  });

  test("files come out of a zip whole; a damaged one is told", async () => {
    const path = join(folder, "some.zip");
    const big = Buffer.alloc(300_000, "cuda");
    await writeFile(path, zip({ "a/deflated": big, "a/stored": Buffer.from("stored") }));
    expect((await listZip(path)).map(({ name, bytes }) => [name, bytes])).toEqual([
      ["a/deflated", 300_000],
      ["a/stored", 6],
    ]);
    for (const [name, content] of [
      ["a/deflated", big],
      ["a/stored", Buffer.from("stored")],
    ] as const) {
      await unpack(path, name, join(folder, "out/file"));
      expect(await readFile(join(folder, "out/file"))).toEqual(content);
    }
    expect(unpack(path, "a/none", join(folder, "out/file"))).rejects.toThrow("holds no a/none");
    await writeFile(path, "no zip");
    expect(listZip(path)).rejects.toThrow("not a zip");
  });
});

describe("--fix into an empty folder", () => {
  test("puts the provider in place, leaves the package cache alone, and does it once", async () => {
    const here = await machine();
    const cached = join(here.cudaDir, "..", "cached");
    await writeFile(cached, "the npm package's own");
    await link(cached, join(here.runtimeFolder, "libonnxruntime.so.1"));
    expect(await providerProblem(here)).toContain("not installed");
    const options = { origin: origin(), provider: provider() };
    expect(await installProvider(here, options)).toBe(true);
    expect(await providerProblem(here)).toBeUndefined();
    expect(await readFile(join(here.runtimeFolder, "libonnxruntime.so.1"), "utf8")).toBe(
      "the runtime that belongs to it",
    );
    expect(await readFile(cached, "utf8")).toBe("the npm package's own");
    expect(await installProvider(here, options)).toBe(false);
    expect(await readdir(join(here.cudaDir, "packages"))).toEqual([]);
    // An installation of the npm package afterwards brings its own library back.
    await writeFile(join(here.runtimeFolder, "libonnxruntime.so.1"), "the npm package's own");
    expect(await providerProblem(here)).toContain("libonnxruntime.so.1");
    expect(await installProvider(here, options)).toBe(true);
  });

  test("brings only the CUDA libraries that are missing", async () => {
    const here = await machine();
    await installProvider(here, { origin: origin(), provider: provider() });
    expect((await cudaLibraries(here)).missing).toEqual([...CUDA, "libcudnn.so.9", "libnvrtc.so.13"]);
    expect((await librariesFinding(here)).detail).toContain("missing: libcublasLt.so.13");
    const found = { ...here, systemLibraries: new Set([...CUDA, "libnvrtc.so.13"]) };
    const cudnn = publish("cudnn", { "lib/libcudnn.so.9": library("libz.so.1") });
    const asked: (readonly string[])[] = [];
    const packages = (missing: readonly string[]) => {
      asked.push(missing);
      return missing.length > 0 ? [cudnn] : [];
    };
    expect(await installCudaLibraries(found, { origin: origin(), packages })).toEqual(["cudnn 1.30.0"]);
    expect(asked).toEqual([["libcudnn.so.9"]]);
    expect(existsSync(join(here.cudaDir, "lib/libcudnn.so.9"))).toBe(true);
    expect(await librariesFinding(found)).toMatchObject({ state: "ok" });
    expect(await installCudaLibraries(found, { origin: origin(), packages })).toEqual([]);
  });

  test("goes on where the line broke, and takes nothing whose hash is another one", async () => {
    const here = await machine();
    const item = publish("large", {
      "capi/libonnxruntime_providers_cuda.so": Buffer.alloc(400_000, library(...CUDA)),
    });
    breakAfter = 100;
    const seen: number[] = [];
    await installProvider(here, {
      origin: origin(),
      provider: item,
      onBytes: (_, done) => seen.push(done),
    });
    expect(ranges).toEqual(["100"]);
    expect(seen.at(-1)).toBe(item.bytes);
    const other = await machine();
    const wrong = { ...item, sha256: "0".repeat(64) };
    expect(installProvider(other, { origin: origin(), provider: wrong })).rejects.toThrow();
    expect(await readdir(other.runtimeFolder)).toEqual([]);
    const absent = { ...item, path: "packages/absent.whl" };
    expect(installProvider(other, { origin: origin(), provider: absent })).rejects.toThrow("HTTP 404");
    const mismatch = { ...other, runtimeVersion: "1.29.0" };
    expect(installProvider(mismatch, { origin: origin(), provider: item })).rejects.toThrow("same version");
  });
});

describe("cards", () => {
  const gpu = {
    index: 0,
    name: "NVIDIA L4",
    driver: "580.65.06",
    capability: 8.9,
    freeMiB: 22_000,
    totalMiB: 23_034,
  };

  test("each is told with what it is good for, and what it lacks", () => {
    expect(gpuFinding({ ...gpu, freeMiB: 140_000 })).not.toHaveProperty("advice");
    expect(gpuFinding(gpu).advice).toContain("spares memory");
    expect(gpuFinding({ ...gpu, freeMiB: 11_500 })).toMatchObject({ state: "note" });
    expect(gpuFinding({ ...gpu, freeMiB: 900 })).toMatchObject({ state: "bad" });
    expect(gpuFinding({ ...gpu, driver: "535.1" }).advice).toBe("CUDA 13 needs driver 580 or newer");
    expect(gpuFinding({ ...gpu, capability: 7.0 }).advice).toContain("compute capability 7.5");
  });

  test("the driver's own program is asked; without one there is nothing to fix", async () => {
    const program = join(folder, "nvidia-smi");
    await writeFile(program, "#!/bin/sh\necho '0, NVIDIA L4, 580.65.06, 8.9, 22000, 23034'\n");
    await chmod(program, 0o755);
    expect(await findGpus(program)).toEqual([gpu]);
    expect(await findGpus(join(folder, "absent"))).toBeUndefined();
  });

  test("findings stop at the first thing that the others depend on", async () => {
    const all = async (here: GpuMachine, gpus: (typeof gpu)[]) => {
      const names: string[] = [];
      for await (const { name, state } of gpuFindings(here, gpus)) names.push(`${name} ${state}`);
      return names;
    };
    const here = await machine();
    expect(await all(here, [gpu])).toEqual(["gpu 0 ok", "provider bad"]);
    await installProvider(here, { origin: origin(), provider: provider() });
    expect(await all(here, [gpu])).toEqual(["gpu 0 ok", "provider ok", "cuda bad"]);
  });

  test("the self-test compares a device with the CPU, and says why a device cannot be used", async () => {
    const here = await machine();
    expect(await selfTest(here, "cpu", 0)).toMatchObject({ name: "self-test", state: "ok" });
    if (existsSync(join(onnxRuntimeLibraries().folder, "libonnxruntime_providers_cuda.so"))) return;
    const failed = await selfTest(here, "cuda", 0);
    expect(failed.state).toBe("bad");
    expect(failed.detail).toMatch(/libonnxruntime_providers|Failed to load shared library/);
  });
});
