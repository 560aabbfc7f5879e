import type { JobWithResults } from "@cartoon/db";
import { distinctWarnings, publicId } from "../../renders/view.ts";
import type { Services } from "../../services.ts";
import { resultUrls } from "../shared/links.ts";
import type { GradioFunction } from "./functions.ts";

/** The outputs of a succeeded job in the order of the function's components. */
export async function outputData(
  services: Services,
  job: JobWithResults,
  fn: GradioFunction,
  origin: string,
) {
  const urls = await resultUrls(services, job, origin);
  return fn.outputs.map(({ name }) => {
    if (name === "status")
      return {
        id: publicId(job),
        seed: job.spec.clip?.seed ?? job.spec.speech?.seed ?? null,
        warnings: distinctWarnings(job.warnings),
        captions: urls["captions.vtt"] ?? null,
      };
    const result = job.results.find((one) => one.name === name);
    const url = urls[name as keyof typeof urls];
    if (!result || url === undefined) return null;
    const file = {
      // The Python client asks `/gradio_api/file=` for this path, the JavaScript client takes the URL.
      path: `${publicId(job)}/${name}`,
      url,
      size: result.bytes,
      orig_name: name,
      mime_type: result.contentType,
      is_stream: false,
      meta: { _type: "gradio.FileData" },
    };
    return file;
  });
}

export function failureText(job: JobWithResults): string {
  return (
    job.error?.message ?? (job.status === "canceled" ? "The job was canceled." : "The job took too long.")
  );
}
