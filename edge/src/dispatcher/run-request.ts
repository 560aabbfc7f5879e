import { type Database, type Job, ownedAssets, shotResults } from "@cartoon/db";
import { ARTEFACTS, type ArtefactName, type RenderSpec } from "@cartoon/protos";
import type { RunRequest } from "@cartoon/protos/gen/RunRequest";
import type { Destinations } from "../store/destinations.ts";
import { attemptKey } from "../store/key.ts";
import type { Store } from "../store/store.ts";

/** Signed URLs outlive the attempt's time limit by this much. */
const GRACE_SECONDS = 3_600;
const NO_LIMIT_SECONDS = 86_400;

const ARTEFACT_OF_FORMAT = {
  mp4: "clip.mp4",
  gif: "clip.gif",
  wav: "speech.wav",
  poster: "poster.png",
} as const;
const NEEDS_CLIP = new Set<ArtefactName>(["clip.mp4", "clip.gif", "poster.png"]);
const NEEDS_SPEECH = new Set<ArtefactName>(["speech.wav", "captions.vtt"]);

/** Names of what a render makes: the formats asked for, captions where anyone speaks, and always the manifest. */
export function artefactsOf(spec: RenderSpec): ArtefactName[] {
  const names: ArtefactName[] = spec.output.formats.map((format) => ARTEFACT_OF_FORMAT[format]);
  if (spec.output.captions) names.push("captions.vtt");
  names.push("manifest.json");
  const shows = spec.clip != null || spec.join != null;
  const speaks = spec.speech != null || spec.join?.spoken === true;
  return [...new Set(names)].filter(
    (name) => (shows || !NEEDS_CLIP.has(name)) && (speaks || !NEEDS_SPEECH.has(name)),
  );
}

export const checkpointKey = (job: Job) => attemptKey(job.id, job.attempt, "checkpoint.bin");

/** Where each artefact of this attempt goes. Attempts never share a key, so that a late one can't overwrite. */
export const artefactKeys = (job: Job, destinations: Destinations) =>
  new Map<string, string>(artefactsOf(job.spec).map((name) => [name, destinations.keyOf(job, name)]));

const PARTIAL: readonly ArtefactName[] = ["clip.mp4", "poster.png"];

/** Where a clip and a poster of an unfinished render go, if whoever cancels it asks for them. */
export const partialKeys = (job: Job, destinations: Destinations) =>
  new Map<string, string>(
    (job.spec.clip ? PARTIAL : []).map((name) => [name, destinations.keyOf(job, `partial-${name}`)]),
  );

const secondsLeft = (job: Job) =>
  GRACE_SECONDS + (job.executionTimeoutMs === null ? NO_LIMIT_SECONDS : job.executionTimeoutMs / 1000);

function uploadTargets(job: Job, keys: ReadonlyMap<string, string>, store: Store) {
  const expiresInSeconds = secondsLeft(job);
  return Promise.all(
    [...keys].map(async ([name, key]) => {
      const contentType = ARTEFACTS[name as ArtefactName];
      const target = await store.signPut(key, { expiresInSeconds, contentType });
      return { name, put_url: target.url, content_type: contentType, headers: target.headers };
    }),
  );
}

async function checkpointTarget(job: Job, store: Store, everySteps: number) {
  const expiresInSeconds = secondsLeft(job);
  const put = await store.signPut(checkpointKey(job), {
    expiresInSeconds,
    contentType: "application/octet-stream",
  });
  const from = job.checkpoint;
  return {
    put_url: put.url,
    get_url: from ? await store.signInternalGet(from.storageKey, expiresInSeconds) : "",
    get_sha256: from?.sha256 ?? "",
    every_steps: everySteps,
  };
}

/** Where the files of registered characters can be had; one that is gone is left out, and the node says so. */
async function assetSources(job: Job, db: Database, store: Store) {
  const hashes = (job.spec.registered ?? []).flatMap((one) => [one.lora_sha256, one.voice_sha256]);
  const wanted = [...new Set(hashes)].filter((hash) => hash !== "");
  if (wanted.length === 0) return [];
  const owned = await ownedAssets(db, job.tenant, wanted);
  return Promise.all(
    owned.map(async ({ sha256, bytes, storageKey }) => ({
      ...{ sha256, bytes },
      get_url: await store.signInternalGet(storageKey, secondsLeft(job)),
    })),
  );
}

const JOINED = new Set(["clip.mp4", "speech.wav", "captions.vtt", "manifest.json"]);

/** What a join is made from: results of its shots, by signed URL. */
async function joinInputs(job: Job, db: Database, store: Store) {
  if (!job.spec.join) return [];
  const shots = await shotResults(db, job.id);
  const inputs = shots.flatMap(({ results }, shot) =>
    results
      .filter(({ name }) => JOINED.has(name))
      .map(async ({ name, storageKey, bytes, sha256, seconds }) => {
        const get_url = await store.signInternalGet(storageKey, secondsLeft(job));
        return { shot, name, get_url, bytes, sha256, seconds };
      }),
  );
  return Promise.all(inputs);
}

/** The call that starts an attempt: the spec, where to put what, and where to go on from. */
export async function runRequest(
  job: Job,
  deps: {
    db: Database;
    store: Store;
    destinations: Destinations;
    checkpointEvery: number;
    traceparent: string;
  },
): Promise<RunRequest> {
  const [uploads, partial] = await Promise.all([
    uploadTargets(job, artefactKeys(job, deps.destinations), deps.store),
    uploadTargets(job, partialKeys(job, deps.destinations), deps.store),
  ]);
  return {
    job_id: job.id,
    attempt: job.attempt,
    fence: job.fence,
    spec: job.spec,
    uploads,
    partial_uploads: partial,
    checkpoint: job.spec.clip ? await checkpointTarget(job, deps.store, deps.checkpointEvery) : null,
    deadline_ms: job.runDeadline ?? 0,
    traceparent: deps.traceparent,
    assets: await assetSources(job, deps.db, deps.store),
    inputs: await joinInputs(job, deps.db, deps.store),
  };
}
