import type { Job, JobResult } from "@cartoon/db";
import type { Artefact__Output } from "@cartoon/protos/gen/Artefact";
import type { Destinations } from "../store/destinations.ts";
import type { Store } from "../store/store.ts";
import { artefactKeys } from "./run-request.ts";

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
    const found = await store.digest(storageKey);
    if (!found) return `${name} is not in the store`;
    if (found.sha256 !== artefact.sha256 || found.bytes !== artefact.bytes)
      return `${name} in the store is not what the node has made`;
    const { content_type: contentType, bytes, sha256, width, height, seconds } = artefact;
    results.push({ name, contentType, bytes, sha256, storageKey, width, height, seconds });
  }
  return results;
}
