import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onnxRuntimeLibraries } from "../onnx/library-folder.ts";
import type { Device } from "../runner/messages.ts";
import { askDriver } from "./nvidia-smi.ts";

const MEASURE = fileURLToPath(new URL("../onnx/measure-attention.ts", import.meta.url));
const TIMEOUT_MS = 60_000;
/** A way that is not faster by this share does not replace the first: timings of one machine are not all the same. */
const WORTHWHILE = 0.9;

/** Ways in which ONNX Runtime computes attention on a GPU, the usual one first. */
export const ATTENTION: Readonly<Record<string, Record<string, string>>> = {
  cudnn: { ORT_ENABLE_CUDNN_FLASH_ATTENTION: "1" },
  flash: { ORT_ENABLE_CUDNN_FLASH_ATTENTION: "0" },
  efficient: { ORT_ENABLE_CUDNN_FLASH_ATTENTION: "0", ORT_DISABLE_FLASH_ATTENTION: "1" },
};

/** Cards that the usual way is known to be the fastest for. */
const KNOWN_CAPABILITY = "9.0";

/**
 * How a device computes attention; undefined means the usual way.
 * @param gpu index or UUID that the driver knows it by
 * @param env environment of a runner on it
 */
export async function attentionOf(
  device: Device,
  gpu: string,
  cacheDir: string,
  env: Record<string, string | undefined>,
): Promise<string | undefined> {
  if (device.kind === "cpu") return undefined;
  const query = [`--id=${gpu}`, "--query-gpu=compute_cap,name,driver_version", "--format=csv,noheader"];
  const card = (await askDriver(query)).trim();
  if (card === "" || card.startsWith(`${KNOWN_CAPABILITY},`)) return undefined;
  const key = `${card}, ONNX Runtime ${onnxRuntimeLibraries().version}`;
  return fastestAttention({ key, cacheDir, env, args: ["cuda"] });
}

export interface AttentionQuestion {
  /** What the measurement depends on: card, driver, version of ONNX Runtime. */
  key: string;
  cacheDir: string;
  /** Environment of the measuring processes. */
  env: Record<string, string | undefined>;
  /** Arguments of the measurement: the provider, and the share of the usual size. */
  args: readonly string[];
}

/**
 * The fastest way for a card that its figures are not known for: measured at the first start, remembered for the
 * next. A way that does not run at all is out.
 * @returns its name; undefined where none runs
 */
export async function fastestAttention(question: AttentionQuestion): Promise<string | undefined> {
  const file = join(question.cacheDir, "attention.json");
  const known = await readKnown(file);
  if (known[question.key] !== undefined) return known[question.key];
  let best: { name: string; ms: number } | undefined;
  for (const name of Object.keys(ATTENTION)) {
    const ms = await measure(name, question);
    if (ms !== undefined && (!best || ms < best.ms * WORTHWHILE)) best = { name, ms };
  }
  if (!best) return undefined;
  await mkdir(question.cacheDir, { recursive: true });
  await writeFile(file, JSON.stringify({ ...known, [question.key]: best.name }));
  return best.name;
}

async function readKnown(file: string): Promise<Record<string, string>> {
  try {
    const known = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
    const valid = Object.entries(known).filter(([, name]) => typeof name === "string" && name in ATTENTION);
    return Object.fromEntries(valid) as Record<string, string>;
  } catch {
    return {};
  }
}

async function measure(name: string, { env, args }: AttentionQuestion): Promise<number | undefined> {
  const child = Bun.spawn([process.execPath, MEASURE, ...args], {
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...env, ...ATTENTION[name] },
    timeout: TIMEOUT_MS,
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) return undefined;
  return (JSON.parse(text) as { ms: number }).ms;
}
