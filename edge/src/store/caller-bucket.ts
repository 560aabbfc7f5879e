import { type Database, type Job, type JobResult, openSecrets } from "@cartoon/db";
import { GuardedFetchError, guardedFetch } from "@cartoon/protos";
import { AwsClient } from "aws4fetch";
import { z } from "zod";
import type { Store } from "./store.ts";

/** Name of the sealed secret. */
export const CALLER_BUCKET = "callerBucket";
/** Set in a job's extras, so that others need no look at its secrets. */
export const DELIVERED = "callerBucket";

/** A bucket that a request brings along, in RunPod's words (`s3Config`). */
export const CallerBucket = z.object({
  accessId: z.string().min(1).max(256),
  accessSecret: z.string().min(1).max(256),
  bucketName: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "3 to 63 lower-case letters, digits, . and -"),
  endpointUrl: z.url({ protocol: /^https?$/ }).max(512),
  objectPath: z
    .string()
    .max(256)
    .regex(/^[\w./-]*$/, "letters, digits, . _ - and / only")
    .refine((path) => !path.split("/").some((part) => part === "." || part === ".."), "no . or .. in it")
    .optional(),
});
export type CallerBucket = z.infer<typeof CallerBucket>;

const PUT_SECONDS = 900;
/** The longest that a presigned URL may live; RunPod's own choice as well. */
const GET_SECONDS = 604_800;
const PUT_MS = 300_000;
const TRIES = 4;
const FIRST_WAIT_MS = 250;
const MAX_ANSWER_BYTES = 64 * 1024;

/** Why a bucket did not take a file; never with a URL or a credential in it. */
export class BucketRefusal extends Error {
  override readonly name = "BucketRefusal";
  readonly retryable: boolean;
  constructor(message: string, retryable: boolean, options?: ErrorOptions) {
    super(message, options);
    this.retryable = retryable;
  }
}

/** Takes results to the buckets of their callers; what they brought along is sealed until then. */
export class CallerBuckets {
  readonly #db: Database;
  readonly #store: Store;
  readonly #allowHosts: readonly string[];

  /** @param allowHosts `host:port` that may lie on a private network */
  constructor(db: Database, store: Store, allowHosts: readonly string[]) {
    this.#db = db;
    this.#store = store;
    this.#allowHosts = allowHosts;
  }

  /**
   * Copies the checked results of a job whose caller brought a bucket.
   * @returns the results where they lie now: in the bucket, or where they were
   * @throws BucketRefusal
   */
  async deliver(job: Job, results: readonly JobResult[]): Promise<readonly JobResult[]> {
    if (job.extras[DELIVERED] !== true) return results;
    const bucket = await this.#bucketOf(job);
    const client = new AwsClient({
      accessKeyId: bucket.accessId,
      secretAccessKey: bucket.accessSecret,
      service: "s3",
    });
    const copy = async (result: JobResult) => {
      const url = objectUrl(bucket, job, result.name);
      const put = await presign(client, "PUT", url, PUT_SECONDS, { "content-type": result.contentType });
      await this.#put(put, result);
      return { ...result, storageKey: `@url/${await presign(client, "GET", url, GET_SECONDS)}` };
    };
    const delivered: JobResult[] = [];
    // One at a time: a file is held in memory while it travels.
    for (const result of results) delivered.push(await copy(result));
    return delivered;
  }

  // A database that is away comes back; what was sealed under another `CARTOON_URL_SECRET` stays shut, and retries end.
  async #bucketOf(job: Job): Promise<CallerBucket> {
    const secrets = await openSecrets(this.#db, job.id).catch((cause: unknown) => {
      throw new BucketRefusal("the credentials of your bucket can't be opened", true, { cause });
    });
    const bucket = CallerBucket.safeParse(secrets?.[CALLER_BUCKET]);
    if (bucket.success) return bucket.data;
    throw new BucketRefusal("the credentials of your bucket are gone", false);
  }

  async #put(url: string, { name, storageKey, contentType }: JobResult): Promise<void> {
    const object = await this.#store.get(storageKey);
    if (!object) throw new BucketRefusal(`${name} is not in the store`, true);
    const body = new Uint8Array(await new Response(object.body).arrayBuffer());
    for (let attempt = 1; ; attempt++) {
      const refusal = await this.#tryPut(url, name, body, contentType);
      if (!refusal) return;
      if (!refusal.retryable || attempt === TRIES) throw refusal;
      await new Promise((resolve) => setTimeout(resolve, FIRST_WAIT_MS * 4 ** (attempt - 1)));
    }
  }

  async #tryPut(
    url: string,
    name: string,
    body: Uint8Array,
    type: string,
  ): Promise<BucketRefusal | undefined> {
    try {
      const { status } = await guardedFetch(url, {
        method: "PUT",
        body,
        headers: { "content-type": type, "content-length": String(body.byteLength) },
        maxBytes: MAX_ANSWER_BYTES,
        timeoutMs: PUT_MS,
        redirects: 0,
        allowHosts: this.#allowHosts,
      });
      if (status >= 200 && status < 300) return undefined;
      return new BucketRefusal(`your bucket answered ${status} to ${name}`, status >= 500 || status === 429);
    } catch (error) {
      if (!(error instanceof GuardedFetchError)) throw error;
      const passes = error.code === "timeout" || error.code === "unreachable";
      return new BucketRefusal(`your bucket did not take ${name}: ${error.message}`, passes);
    }
  }
}

/** Path style, which every S3-compatible server knows. A retry of the same job writes the same objects again. */
function objectUrl(
  { endpointUrl, bucketName, objectPath = "" }: CallerBucket,
  job: Job,
  name: string,
): string {
  const path = [bucketName, ...objectPath.split("/"), job.alias ?? job.id, name].filter(
    (part) => part !== "",
  );
  return `${endpointUrl.replace(/\/+$/, "")}/${path.map(encodeURIComponent).join("/")}`;
}

async function presign(
  client: AwsClient,
  method: "GET" | "PUT",
  url: string,
  seconds: number,
  headers: Record<string, string> = {},
): Promise<string> {
  const target = new URL(url);
  target.searchParams.set("X-Amz-Expires", String(seconds));
  const signed = await client.sign(target.href, {
    method,
    headers,
    aws: { signQuery: true, allHeaders: true },
  });
  return signed.url;
}
