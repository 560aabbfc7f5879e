import { rm } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import type { RenderSpec, Warning } from "@cartoon/protos";
import type { DescribeResponse } from "@cartoon/protos/gen/DescribeResponse";
import type { RunRequest__Output } from "@cartoon/protos/gen/RunRequest";
import type { StopRequest__Output } from "@cartoon/protos/gen/StopRequest";
import { status as Code } from "@grpc/grpc-js";
import packageJson from "../../package.json" with { type: "json" };
import { AssetCache } from "../assets/cache.ts";
import { AssetFetcher } from "../assets/fetch.ts";
import type { NodeEnv } from "../env.ts";
import { findFfmpeg } from "../media/index.ts";
import { choosePack, listPacks, type Pack, type PackListing, substituteFor } from "../packs/index.ts";
import { openSigner } from "../provenance/open-signer.ts";
import type { Device, Part, RunnerSetup } from "../runner/messages.ts";
import { Attempt, type AttemptEvent, type NodeFacts } from "./attempt.ts";
import { attentionOf } from "./attention.ts";
import { JoinAttempt } from "./join/join-attempt.ts";
import { Pool } from "./pool.ts";
import { Refused } from "./refused.ts";
import { deviceEnv, visibleGpu } from "./runner-process.ts";
import { SpecError, specFromWire } from "./spec-from-wire.ts";
import type { Place } from "./speech-seats.ts";
import { AttemptStopped, type StopKind } from "./stop.ts";
import { openWorkDir } from "./work-dir.ts";

interface Running {
  fence: number;
  abort: AbortController;
  /** Has it end with a clip of what there is; false when there is nothing. */
  finish: () => boolean;
  ended: Promise<void>;
}

/** How long the clip of a canceled job may take. */
const PARTIAL_MS = 90_000;

// Enough to remember every job that an edge could still be confused about.
const REMEMBERED_FENCES = 10_000;

/** A node: its packs, its pool of runners and the attempts under way. */
export class Node {
  readonly pool: Pool;
  readonly facts: NodeFacts;
  readonly #listing: PackListing;
  readonly #preferred: string;
  readonly #running = new Map<string, Running>();
  readonly #fences = new Map<string, number>();

  private constructor(facts: NodeFacts, listing: PackListing, preferred: string, pool: Pool) {
    this.facts = facts;
    this.#listing = listing;
    this.#preferred = preferred;
    this.pool = pool;
  }

  /** Reads the packs and starts the runners; they load while the node already answers. */
  static async start(env: NodeEnv): Promise<Node> {
    const listing = await listPacks(env.CARTOON_PACK_DIRS);
    const { pack: first } = choosePack(listing, "", env.CARTOON_PACK);
    const others = listing.packs.filter((pack) => pack !== first);
    const facts = {
      id: env.CARTOON_NODE_ID,
      version: packageJson.version,
      ffmpeg: await findFfmpeg(env),
      signer: await openSigner(env),
      workDir: await openWorkDir(env.CARTOON_WORK_DIR),
      sharesJobs: sharesJobs(env),
      history: new Map(),
      assets: new AssetFetcher({
        cache: new AssetCache(env.CARTOON_ASSET_DIR, env.CARTOON_ASSET_CACHE_BYTES),
        folder: env.CARTOON_ASSET_DIR,
        maxBytes: env.CARTOON_MAX_LORA_BYTES,
        allowHosts: env.CARTOON_FETCH_ALLOW,
      }),
    };
    const folders = [first, ...others].map((pack) => pack.folder);
    const slots: RunnerSetup[][] = [];
    // One after the other: equal cards are measured once.
    for (const device of env.CARTOON_DEVICES) slots.push(await runnersOf(device, folders, env));
    return new Node(facts, listing, env.CARTOON_PACK, new Pool(facts.id, slots));
  }

  describe(): DescribeResponse {
    const kinds = this.pool.slots.map(({ device }) => device);
    const { pack: preferred } = choosePack(this.#listing, "", this.#preferred);
    return {
      status: this.pool.status(),
      version: this.facts.version,
      packs: this.#listing.packs.map((pack) => packInfo(pack, pack === preferred)),
      devices: kinds.map((device) =>
        device.kind === "cpu"
          ? { kind: "cpu", name: cpus()[0]?.model ?? "CPU", memory_bytes: totalmem() }
          : { kind: "cuda", name: `GPU ${device.index}`, memory_bytes: 0 },
      ),
    };
  }

  /**
   * Runs one attempt; its events go to `emit`, the terminal one last. Resolves when it has ended.
   * @throws Refused when the attempt is not taken on
   */
  async run(
    request: RunRequest__Output,
    emit: (event: AttemptEvent) => void,
    gone: AbortSignal,
  ): Promise<void> {
    if (!request.job_id) throw new Refused(Code.INVALID_ARGUMENT, "job_id: is missing");
    await this.#fence(request);
    const choice = this.#choose(request);
    if ("failed" in choice) {
      emit(choice);
      return;
    }
    const { spec, pack, warnings } = choice;
    const slot = this.#takePlace(spec, pack);
    const abort = new AbortController();
    const stop = (kind: StopKind) => () => abort.abort(new AttemptStopped(kind));
    gone.addEventListener("abort", stop("canceled"), { once: true });
    if (gone.aborted) stop("canceled")();
    const left = request.deadline_ms > 0 ? request.deadline_ms - Date.now() : undefined;
    const timer = left === undefined ? undefined : setTimeout(stop("deadline"), Math.max(0, left));
    const input = {
      ...{ node: this.facts, request, spec, pack, warnings, slot, emit },
      substitute: substituteFor(this.#listing, pack),
      onDraw: () => this.pool.usage.drawsWith(slot, pack.manifest.name, spec.clip?.characters ?? []),
      gpuMemory: () => this.pool.usage.memoryOf(slot.device),
      signal: abort.signal,
    };
    const { join } = spec;
    const attempt = join ? new JoinAttempt({ ...input, join }) : new Attempt(input);
    const finish = () => attempt instanceof Attempt && attempt.finish();
    const ended = attempt.run();
    this.#running.set(request.job_id, { fence: request.fence, abort, finish, ended });
    try {
      await ended;
    } finally {
      clearTimeout(timer);
      if (this.#running.get(request.job_id)?.fence === request.fence) this.#running.delete(request.job_id);
    }
  }

  /** Refuses an attempt that another one has overtaken, and drops the one that this attempt overtakes. */
  async #fence({ job_id, fence }: RunRequest__Output): Promise<void> {
    const seen = this.#fences.get(job_id);
    if (seen !== undefined && fence <= seen) {
      throw new Refused(Code.FAILED_PRECONDITION, `fence ${fence} is stale: ${seen} was seen`);
    }
    const older = this.#running.get(job_id);
    this.#fences.delete(job_id);
    this.#fences.set(job_id, fence);
    const [oldest] = this.#fences.keys();
    if (this.#fences.size > REMEMBERED_FENCES && oldest !== undefined) this.#fences.delete(oldest);
    older?.abort.abort(new AttemptStopped("fenced"));
    await older?.ended;
  }

  #choose(request: RunRequest__Output) {
    try {
      const spec = specFromWire(request.spec);
      return { spec, ...this.#pack(spec.pack) };
    } catch (error) {
      if (!(error instanceof SpecError)) throw error;
      const receipt = { steps_done: 0, steps_total: 0, device_seconds: 0, stages: [] };
      return { failed: { code: "invalid_spec", message: error.message, retryable: false, receipt } };
    }
  }

  #pack(name: string): { pack: Pack; warnings: Warning[] } {
    try {
      return choosePack(this.#listing, name, this.#preferred);
    } catch (error) {
      throw new SpecError(error instanceof Error ? error.message : String(error));
    }
  }

  #takePlace({ clip, speech }: RenderSpec, { manifest }: Pack): Place {
    const seat = speech && !clip ? this.pool.takeSpeechSeat(manifest.name) : undefined;
    const place = seat ?? this.pool.take(manifest.name);
    if (place) return place;
    const { health, detail } = this.pool.status();
    if (health === "NODE_HEALTH_BUSY" || health === "NODE_HEALTH_READY") {
      throw new Refused(Code.RESOURCE_EXHAUSTED, "no permit is free");
    }
    throw new Refused(
      Code.UNAVAILABLE,
      `the node is ${health.slice("NODE_HEALTH_".length)}${detail && `: ${detail}`}`,
    );
  }

  /** Stops an attempt at its next step; it ends with its receipt, with `partial` after a clip of what there is. False when it does not run here. */
  stop({ job_id, fence, partial }: StopRequest__Output): boolean {
    const running = this.#running.get(job_id);
    if (!running || running.fence !== fence) return false;
    const stop = () => running.abort.abort(new AttemptStopped("canceled"));
    if (!partial || !running.finish()) stop();
    else {
      const patience = setTimeout(stop, PARTIAL_MS);
      void running.ended.finally(() => clearTimeout(patience));
    }
    return true;
  }

  /** Takes nothing new, gives the attempts under way `seconds`, hands the rest back, and ends the runners. */
  async close(seconds: number): Promise<void> {
    this.pool.drain();
    const all = () => Promise.allSettled([...this.#running.values()].map(({ ended }) => ended));
    const patience = setTimeout(() => {
      for (const { abort } of this.#running.values()) abort.abort(new AttemptStopped("draining"));
    }, seconds * 1000);
    await all();
    clearTimeout(patience);
    await this.pool.close();
    await rm(this.facts.workDir, { recursive: true, force: true });
  }
}

/** CPU slots have the same cores: sharing a clip among them gains nothing, and is only done when asked for. */
function sharesJobs({ CARTOON_SHARE_JOBS: wish, CARTOON_DEVICES: devices }: NodeEnv): boolean {
  if (wish !== "auto") return wish === "on" && devices.length > 1;
  return devices.filter(({ kind }) => kind === "cuda").length > 1;
}

/** One runner for a device, or two: on a GPU, voice and picture are made at the same time. */
async function runnersOf(device: Device, packs: string[], env: NodeEnv): Promise<RunnerSetup[]> {
  const { CARTOON_VOICE_PROCESS: wish, CARTOON_THREADS: threads, CARTOON_CACHE_DIR: cacheDir } = env;
  const apart = wish === "auto" ? device.kind === "cuda" : wish === "own";
  const parts: Part[][] = apart ? [["picture"], ["voice"]] : [["picture", "voice"]];
  const { CARTOON_DETERMINISTIC: deterministic, CARTOON_MEMORY: memory, CARTOON_CUDA_DIR: cudaDir } = env;
  const gpu = device.kind === "cuda" ? visibleGpu(device.index) : "";
  const measured = { ...process.env, ...deviceEnv({ device, parts: ["picture"], cudaDir }) };
  const attention = await attentionOf(device, gpu, cacheDir, measured);
  const setup = { packs, device, threads, cacheDir, cudaDir, attention, deterministic, memory };
  return parts.map((part) => ({ parts: part, ...setup }));
}

function packInfo({ manifest }: Pack, isDefault: boolean) {
  const { files: _files, ...shown } = manifest;
  return {
    name: manifest.name,
    version: manifest.version,
    is_default: isDefault,
    characters: manifest.characters.map(({ name, label, triggers, speaker }) => ({
      name,
      label,
      triggers,
      speaker,
    })),
    manifest_json: JSON.stringify(shown),
  };
}
