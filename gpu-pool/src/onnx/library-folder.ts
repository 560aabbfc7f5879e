import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Where onnxruntime-node keeps its native libraries on a 64-bit Linux, and its version. */
export function onnxRuntimeLibraries(): { folder: string; version: string } {
  const manifest = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return { folder: join(dirname(manifest), "bin/napi-v6/linux/x64"), version };
}
