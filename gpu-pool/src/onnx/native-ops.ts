import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { loadRuntime } from "./runtime.ts";

/** What `cartoon-ops.node` (gpu-pool/native) gives: the operators of domain "cartoon", and more CUDA options. */
export interface NativeOps {
  /** Options of the CUDA provider that onnxruntime-node does not pass on, for sessions made from now on. */
  setProviderOptions(options: Readonly<Record<string, string>>): void;
  /** Of the first GPU that this process sees, 90 for 9.0; 0 without a GPU. */
  computeCapability(): number;
  /**
   * Copies arrays to the GPU: tensors made over them from now on are there already. They must not change, move or go
   * before {@link drop}; `ResidentFeeds` sees to that.
   * @returns a number for `drop`; 0 where they do not fit
   */
  keep(arrays: readonly Uint8Array[]): number;
  drop(kept: number): void;
  /**
   * While it is on, a session's arena gives the GPU back what its run has left unused: memory for another session, at
   * the price of asking for it again.
   */
  giveBack(on: boolean): void;
}

interface Addon extends Omit<NativeOps, "setProviderOptions"> {
  /** @param text `name=value;name=value` */
  setProviderOptions(text: string): void;
}

/** Where `native/build.sh` puts the library. */
export const NATIVE_OPS_PATH = join(import.meta.dirname, "../../native/cartoon-ops.node");

let loaded: NativeOps | undefined;

/**
 * Loads the own operators into ONNX Runtime: every session that is made afterwards knows them.
 * @returns undefined where the library was not built
 * @throws when it can't be loaded
 */
export function loadNativeOps(path: string = NATIVE_OPS_PATH): NativeOps | undefined {
  if (loaded) return loaded;
  if (!existsSync(path)) return undefined;
  // The library changes ONNX Runtime's table, so that must be there first.
  loadRuntime();
  const addon = createRequire(import.meta.url)(path) as Addon;
  loaded = {
    ...addon,
    setProviderOptions: (options) =>
      addon.setProviderOptions(
        Object.entries(options)
          .map(([name, value]) => `${name}=${value}`)
          .join(";"),
      ),
  };
  return loaded;
}

/** Does `work` while sessions give the GPU back what they leave unused; without the library, just does it. */
export async function givingBack<T>(work: () => Promise<T>): Promise<T> {
  const native = loadNativeOps();
  native?.giveBack(true);
  try {
    return await work();
  } finally {
    native?.giveBack(false);
  }
}
