import { dlopen, FFIType, ptr } from "bun:ffi";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { loadRuntime } from "../runtime.ts";

const RLIMIT_DATA = 2;
const UNLIMITED = 0xffff_ffff_ffff_ffffn;

/** Has the kernel refuse memory to this process beyond `most` bytes. Linux only. */
function limiter(): (most: bigint) => void {
  const libc = dlopen("libc.so.6", { setrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 } });
  return (most) => {
    const values = BigUint64Array.of(most, UNLIMITED);
    if (libc.symbols.setrlimit(RLIMIT_DATA, ptr(values)) !== 0) throw new Error("setrlimit failed");
  };
}

/**
 * Gives every session of this process, present and to come, a device of `bytes`: while a graph runs, the kernel
 * refuses memory beyond that (RLIMIT_DATA), and ONNX Runtime fails as it does on a full GPU.
 */
export function limitSessionMemory(bytes: number): void {
  const limit = limiter();
  const most = BigInt(dataBytes() + bytes);
  const runtime = loadRuntime();
  const create = runtime.create.bind(runtime);
  runtime.create = async (path, options) => {
    const session = await create(path, { ...options, enableCpuMemArena: false, enableMemPattern: false });
    const run = session.run.bind(session);
    session.run = async (feeds: Parameters<typeof run>[0]) => {
      limit(most);
      try {
        return await run(feeds);
      } finally {
        limit(UNLIMITED);
      }
    };
    return session;
  };
}

/** Leaves `bytes` for each model that is loaded from now on, as a GPU does that others have filled. */
export function limitLoadingMemory(bytes: number): void {
  const limit = limiter();
  const runtime = createRequire(import.meta.url)("onnxruntime-node/dist/binding.js");
  const Original = runtime.binding.InferenceSession;
  class Limited extends Original {
    loadModel(...model: unknown[]) {
      limit(BigInt(dataBytes() + bytes));
      try {
        return super.loadModel(...model);
      } finally {
        limit(UNLIMITED);
      }
    }
  }
  runtime.binding = { ...runtime.binding, InferenceSession: Limited };
}

function dataBytes(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return 1024 * Number(/^VmData:\s*(\d+) kB/m.exec(status)?.[1]);
}
