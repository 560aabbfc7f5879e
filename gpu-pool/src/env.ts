import { hostname, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isLoopbackHost } from "@cartoon/protos";
import { z } from "zod";
import type { Device } from "./runner/messages.ts";

const builtInPacks = fileURLToPath(new URL("../packs", import.meta.url));

const flag = z
  .enum(["", "0", "1", "true", "false"])
  .default("")
  .transform((value) => value === "1" || value === "true");

const list = (text: string) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);

const device = z
  .string()
  .regex(/^(cpu|cuda:\d{1,2})$/, "cpu or cuda:INDEX")
  .transform(
    (text): Device => (text === "cpu" ? { kind: "cpu" } : { kind: "cuda", index: Number(text.slice(5)) }),
  );

const Env = z.object({
  /** Name of this node in events and logs. */
  CARTOON_NODE_ID: z.string().min(1).max(128).default(`${hostname()}-${process.pid}`),
  /** Address of the gRPC server; port 0 takes a free one, `none` opens no port: the node then dials its edges. */
  CARTOON_NODE_LISTEN: z
    .string()
    .regex(/^(none|(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5})$/, "HOST:PORT, or none")
    .default("127.0.0.1:50051"),
  /** Edges that this node dials, `host:port` or `dns:host:port` for every record; needs CARTOON_REGISTER_TOKEN. */
  CARTOON_EDGES: z
    .string()
    .default("")
    .transform(list)
    .pipe(
      z.array(
        z.string().regex(/^(dns:)?(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}$/, "HOST:PORT or dns:HOST:PORT"),
      ),
    ),
  /** CA of the edges' certificates: a PEM file, or `system`. Without it the edges are dialled in plain text. */
  CARTOON_EDGE_CA: z.string().optional(),
  /** This node's own certificate, for edges that ask for one. */
  CARTOON_EDGE_CERT: z.string().optional(),
  CARTOON_EDGE_KEY: z.string().optional(),
  /** Name in the edges' certificates; default: `cartoon-edge`, with `system` the name that is dialled. */
  CARTOON_EDGE_SERVER_NAME: z.string().optional(),
  /** Folders that hold packs, separated like PATH; of two packs with the same name the first wins. */
  CARTOON_PACK_DIRS: z
    .string()
    .default(builtInPacks)
    .transform((text) => text.split(delimiter).filter(Boolean))
    .pipe(z.array(z.string()).min(1)),
  /** Pack that is loaded at start and used where a job names none. */
  CARTOON_PACK: z.string().min(1).default("toon"),
  /** One runner each: `cpu`, `cuda:0` or `cuda:0,cuda:1` … */
  CARTOON_DEVICES: z.string().default("cpu").transform(list).pipe(z.array(device).min(1).max(16)),
  /** CPU threads of each ONNX session; 0 lets ONNX Runtime choose. */
  CARTOON_THREADS: z.coerce.number().int().min(0).max(256).default(0),
  /** Bit-stable results for every job, at some cost in time on a GPU; else for those that ask for it. */
  CARTOON_DETERMINISTIC: flag,
  /** Whether the picture models spare memory: as the GPU's free memory tells, or always or never. */
  CARTOON_MEMORY: z.enum(["auto", "small", "full"]).default("auto"),
  /** Whether an idle device takes passes of a clip that another one draws: `auto` does so between GPUs. */
  CARTOON_SHARE_JOBS: z.enum(["auto", "on", "off"]).default("auto"),
  /** Whether voices are made in a process of their own, beside the picture: `auto` does so on GPUs. */
  CARTOON_VOICE_PROCESS: z.enum(["auto", "own", "shared"]).default("auto"),
  /** Folder for frames and sound on their way; emptied after every job. */
  CARTOON_WORK_DIR: z.string().min(1).default(join(tmpdir(), "cartoon-work")),
  /** Folder for graph files built from the model configs. */
  CARTOON_CACHE_DIR: z.string().min(1).default(join(tmpdir(), "cartoon-cache")),
  /** CUDA libraries that `cartoon doctor --fix` has put in place, in `lib`; beside those of the system. */
  CARTOON_CUDA_DIR: z.string().min(1).optional(),
  /** Folder for files that come with jobs (LoRAs, voice clips), by their hash; several nodes may share it. */
  CARTOON_ASSET_DIR: z.string().min(1).default(join(tmpdir(), "cartoon-assets")),
  /** Bytes that it may hold; the least recently used files go first. */
  CARTOON_ASSET_CACHE_BYTES: z.coerce
    .number()
    .int()
    .min(1)
    .default(20 * 1024 ** 3),
  /** Bytes of one file that a request names by URL. */
  CARTOON_MAX_LORA_BYTES: z.coerce
    .number()
    .int()
    .min(1024)
    .default(512 * 1024 ** 2),
  /** HOST:PORT pairs on private networks that requests may name in URLs. */
  CARTOON_FETCH_ALLOW: z.string().default("").transform(list),
  /** Seconds that running jobs get to end after SIGTERM before they are handed back. */
  CARTOON_DRAIN_SECONDS: z.coerce.number().min(0).max(3600).default(25),
  /** Edges that this node registers itself with, comma-separated origins; needs the token. */
  CARTOON_REGISTER_URLS: z
    .string()
    .default("")
    .transform(list)
    .pipe(z.array(z.url({ protocol: /^https?$/ }))),
  /** From `cartoon keys node`. */
  CARTOON_REGISTER_TOKEN: z.string().optional(),
  /** HOST:PORT by which edges reach this node; default: the address it listens on. */
  CARTOON_ADVERTISE: z
    .string()
    .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, "HOST:PORT")
    .optional(),
  /** PEM files. With a client CA the node accepts only callers with a certificate of it. */
  CARTOON_TLS_CERT: z.string().optional(),
  CARTOON_TLS_KEY: z.string().optional(),
  CARTOON_TLS_CLIENT_CA: z.string().optional(),
  /** Accept callers without a certificate on other addresses than loopback: for closed networks only. */
  CARTOON_NODE_INSECURE: flag,
  /** PEM files: with them every MP4 carries a signed C2PA manifest; the chain begins with the signer's own certificate. */
  CARTOON_C2PA_CERT: z.string().optional(),
  CARTOON_C2PA_KEY: z.string().optional(),
  FFMPEG_PATH: z.string().optional(),
  PATH: z.string().optional(),
  CARTOON_DEBUG: flag,
});

/** Every variable that a node reads; each has a line in ../README.md. */
export const VARIABLE_NAMES: readonly string[] = Object.keys(Env.shape);

/** Settings of a node, parsed once at its start. */
export type NodeEnv = z.infer<typeof Env>;

/** What is wrong with the way to edges that this node dials. */
function dialProblems(value: NodeEnv, issue: (path: string, message: string) => void): void {
  const { CARTOON_EDGES: edges, CARTOON_EDGE_CA: ca } = value;
  if (edges.length > 0 && !value.CARTOON_REGISTER_TOKEN)
    issue("CARTOON_EDGES", "needs CARTOON_REGISTER_TOKEN, from `cartoon keys node`");
  if (edges.length === 0 && value.CARTOON_NODE_LISTEN === "none")
    issue("CARTOON_NODE_LISTEN", "is none: set CARTOON_EDGES, or nobody can give this node any work");
  if (Boolean(value.CARTOON_EDGE_CERT) !== Boolean(value.CARTOON_EDGE_KEY))
    issue("CARTOON_EDGE_CERT", "goes together with CARTOON_EDGE_KEY");
  if (value.CARTOON_EDGE_CERT && !ca) issue("CARTOON_EDGE_CERT", "needs CARTOON_EDGE_CA");
  const inTheClear = edges.find((edge) => !isLoopback(edge.replace(/^dns:/, "")));
  if (inTheClear && !ca && !value.CARTOON_NODE_INSECURE)
    issue(
      "CARTOON_EDGES",
      `the token would travel to ${inTheClear} in the clear: set CARTOON_EDGE_CA, or CARTOON_NODE_INSECURE=1 on a closed network`,
    );
}

export function isLoopback(listen: string): boolean {
  return isLoopbackHost(listen.slice(0, listen.lastIndexOf(":")));
}

/** Throws an Error that lists every problem at once. Empty variables count as unset. */
export function parseNodeEnv(env: Record<string, string | undefined>): NodeEnv {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = Env.superRefine((value, context) => {
    const issue = (path: string, message: string) =>
      context.addIssue({ code: "custom", path: [path], message });
    if (Boolean(value.CARTOON_TLS_CERT) !== Boolean(value.CARTOON_TLS_KEY)) {
      issue("CARTOON_TLS_CERT", "goes together with CARTOON_TLS_KEY");
    }
    if (value.CARTOON_TLS_CLIENT_CA && !value.CARTOON_TLS_CERT) {
      issue("CARTOON_TLS_CLIENT_CA", "needs CARTOON_TLS_CERT and CARTOON_TLS_KEY");
    }
    if (Boolean(value.CARTOON_C2PA_CERT) !== Boolean(value.CARTOON_C2PA_KEY)) {
      issue("CARTOON_C2PA_CERT", "goes together with CARTOON_C2PA_KEY");
    }
    if (value.CARTOON_REGISTER_URLS.length > 0 && !value.CARTOON_REGISTER_TOKEN) {
      issue("CARTOON_REGISTER_URLS", "needs CARTOON_REGISTER_TOKEN, from `cartoon keys node`");
    }
    dialProblems(value, issue);
    const open =
      value.CARTOON_NODE_LISTEN !== "none" && !value.CARTOON_TLS_CLIENT_CA && !value.CARTOON_NODE_INSECURE;
    if (open && !isLoopback(value.CARTOON_NODE_LISTEN)) {
      issue(
        "CARTOON_NODE_LISTEN",
        "is not a loopback address: set CARTOON_TLS_CLIENT_CA, or CARTOON_NODE_INSECURE=1 on a closed network",
      );
    }
  }).safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`);
  throw new Error(`the environment of the node is not valid:\n${problems.join("\n")}`);
}
