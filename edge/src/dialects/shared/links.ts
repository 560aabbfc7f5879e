import type { Job, JobWithResults } from "@cartoon/db";
import type { ArtefactName } from "@cartoon/protos";
import { linksFor } from "../../renders/links.ts";
import { resultLinks } from "../../renders/view.ts";
import type { Services } from "../../services.ts";

export type ResultUrls = Partial<Record<ArtefactName, string>>;

/** The results of a job by name, signed at this very moment. */
export async function resultUrls(
  services: Services,
  job: Job | JobWithResults,
  origin: string,
): Promise<ResultUrls> {
  const links = await resultLinks(job, "results" in job ? job.results : [], linksFor(services, origin));
  return Object.fromEntries(links.map((link) => [link.name, link.url]));
}

/** The main result: the clip, else the sound. */
export const mainUrl = (urls: ResultUrls) => urls["clip.mp4"] ?? urls["clip.gif"] ?? urls["speech.wav"];
