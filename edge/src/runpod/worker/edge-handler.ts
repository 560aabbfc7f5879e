import { Buffer } from "node:buffer";
import type { Bucket } from "./bucket.ts";
import type { TakenJob } from "./protocol.ts";
import type { Handler, JobContext } from "./worker.ts";

/** RunPod takes answers of 10 to 20 MB; base64 adds a third. */
const INLINE_BYTES = 6_500_000;
const MEDIA = { mp4: "clip.mp4", gif: "clip.gif", audio: "speech.wav", captions: "captions.vtt" } as const;

/** What a device may not recover from by itself; the platform then gives the next job a fresh worker. */
const SPOILT = /^(poison|runner_lost):/;

interface Status {
  status: string;
  output?: Record<string, unknown> & { urls?: Record<string, string> };
  error?: string;
}

/**
 * Renders RunPod jobs on an edge of this machine through the RunPod dialect, so that the cloud and a server of one's
 * own answer alike. Media travel inside the answer, or through the bucket where one is named.
 * @param edgeUrl origin of the edge
 */
export function edgeHandler(edgeUrl: string, bucket: Bucket | undefined): Handler {
  return async (job, context) => {
    const { id } = await call<{ id: string }>(edgeUrl, "POST", "/run", {
      input: job.input,
      ...(job.s3Config === undefined ? {} : { s3Config: job.s3Config }),
    });
    const stop = () => void call(edgeUrl, "POST", `/cancel/${id}`, {}).catch(() => {});
    context.signal.addEventListener("abort", stop);
    try {
      await follow(edgeUrl, id, context);
      const ended = await call<Status>(edgeUrl, "GET", `/status/${id}`);
      if (ended.status !== "COMPLETED" || !ended.output) {
        const error = new Error(ended.error ?? `the render was ${ended.status}`);
        return { error, refresh: SPOILT.test(error.message) };
      }
      // What went to the caller's own bucket has URLs that hold everywhere.
      if (job.s3Config !== undefined) return { output: ended.output };
      return { output: await portable(job, ended.output, bucket) };
    } finally {
      context.signal.removeEventListener("abort", stop);
    }
  };
}

async function call<T>(edgeUrl: string, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${edgeUrl}/v2/worker${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = (await response.json()) as T & { error?: string };
  if (!response.ok) throw new Error(answer.error ?? `HTTP ${response.status}`);
  return answer;
}

/** Passes progress on until the job has ended. */
async function follow(edgeUrl: string, id: string, context: JobContext): Promise<void> {
  for (;;) {
    const { status, stream } = await call<{ status: string; stream: { output: { type?: string } }[] }>(
      edgeUrl,
      "GET",
      `/stream/${id}`,
    );
    const progress = stream.findLast((chunk) => chunk.output.type === "progress");
    if (progress) context.progress(progress.output);
    if (status !== "IN_QUEUE" && status !== "IN_PROGRESS") return;
  }
}

/** The output without addresses of this machine. @throws Error when it is too large and there is no bucket */
async function portable(job: TakenJob, output: NonNullable<Status["output"]>, bucket: Bucket | undefined) {
  const { urls = {}, ...rest } = output;
  const files = await Promise.all(
    Object.entries(MEDIA)
      .filter(([, name]) => urls[name] !== undefined)
      .map(async ([field, name]) => {
        const response = await fetch(urls[name] ?? "");
        if (!response.ok) throw new Error(`reading ${name}: HTTP ${response.status}`);
        const type = response.headers.get("content-type") ?? "application/octet-stream";
        return { field, name, type, bytes: new Uint8Array(await response.arrayBuffer()) };
      }),
  );
  const total = files.reduce((sum, file) => sum + file.bytes.length, 0);
  if (!bucket && total > INLINE_BYTES)
    throw new Error(
      `the media are ${total} bytes, too large for an answer: set BUCKET_ENDPOINT_URL and its keys`,
    );
  const media = await Promise.all(
    files.map(async ({ field, name, type, bytes }) => [
      field,
      bucket ? await bucket.put(`${job.id}/${name}`, bytes, type) : inline(type, bytes),
    ]),
  );
  return { ...rest, ...Object.fromEntries(media) };
}

const inline = (type: string, bytes: Uint8Array) =>
  `data:${type};base64,${Buffer.from(bytes).toString("base64")}`;
