import type { Job, JobResult } from "@cartoon/db";
import type { Artefact__Output } from "@cartoon/protos/gen/Artefact";
import type { Destinations } from "../store/destinations.ts";
import type { Store } from "../store/store.ts";
import { artefactKeys, partialKeys } from "./run-request.ts";

/**
 * Holds what a node says it has made against what lies in the store.
 * @returns the results, or what is wrong with them
 */
export async function verifyResults(
  job: Job,
  artefacts: readonly Artefact__Output[],
  { store, destinations }: { store: Store; destinations: Destinations },
): Promise<JobResult[] | string> {
  const keys = artefactKeys(job, destinations);
  const made = new Map(artefacts.map((artefact) => [artefact.name, artefact]));
  for (const name of made.keys()) if (!keys.has(name)) return `${name} was not asked for`;
  const results: JobResult[] = [];
  for (const [name, storageKey] of keys) {
    const artefact = made.get(name);
    // Of a long storyboard there is no GIF; the node has said so in a warning.
    if (!artefact && job.spec.join && name === "clip.gif") continue;
    if (!artefact) return `${name} was not made`;
    const result = await verifyOne(artefact, storageKey, store);
    if (typeof result === "string") return result;
    results.push(result);
  }
  return results;
}

/** What there is of a canceled job's clip; what is not as the node says is left out. */
export async function verifyPartial(
  job: Job,
  artefacts: readonly Artefact__Output[],
  { store, destinations }: { store: Store; destinations: Destinations },
): Promise<JobResult[]> {
  const keys = partialKeys(job, destinations);
  const results = await Promise.all(
    artefacts.map((artefact) => {
      const storageKey = keys.get(artefact.name);
      return storageKey === undefined ? "not asked for" : verifyOne(artefact, storageKey, store);
    }),
  );
  return results.filter((result) => typeof result !== "string");
}

async function verifyOne(
  artefact: Artefact__Output,
  storageKey: string,
  store: Store,
): Promise<JobResult | string> {
  const { name, content_type: contentType, bytes, sha256, width, height, seconds } = artefact;
  const found = await store.digest(storageKey);
  if (!found) return `${name} is not in the store`;
  if (found.sha256 !== sha256 || found.bytes !== bytes)
    return `${name} in the store is not what the node has made`;
  return { name, contentType, bytes, sha256, storageKey, width, height, seconds };
}
