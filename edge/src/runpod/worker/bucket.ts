import { AwsClient } from "aws4fetch";
import { z } from "zod";

const BucketEnvironment = z.object({
  BUCKET_ENDPOINT_URL: z.url({ protocol: /^https?$/ }),
  BUCKET_ACCESS_KEY_ID: z.string().min(1),
  BUCKET_SECRET_ACCESS_KEY: z.string().min(1),
  BUCKET_REGION: z.string().default("auto"),
});

/** RunPod's own choice: a week, the longest that a presigned URL may live. */
const EXPIRES_SECONDS = 604_800;

/** The S3 bucket that RunPod's variables name; its path is the bucket's. */
export class Bucket {
  readonly #client: AwsClient;
  readonly #base: string;

  constructor(settings: z.infer<typeof BucketEnvironment>) {
    this.#base = settings.BUCKET_ENDPOINT_URL.replace(/\/+$/, "");
    this.#client = new AwsClient({
      accessKeyId: settings.BUCKET_ACCESS_KEY_ID,
      secretAccessKey: settings.BUCKET_SECRET_ACCESS_KEY,
      region: settings.BUCKET_REGION,
      service: "s3",
    });
  }

  /** Puts an object and gives a URL for it. @throws Error when the bucket refuses it */
  async put(key: string, body: Uint8Array<ArrayBuffer>, contentType: string): Promise<string> {
    const url = `${this.#base}/${key}`;
    const response = await this.#client.fetch(url, {
      method: "PUT",
      body,
      headers: { "content-type": contentType },
    });
    if (!response.ok) throw new Error(`the bucket refused ${key}: HTTP ${response.status}`);
    await response.body?.cancel();
    const target = new URL(url);
    target.searchParams.set("X-Amz-Expires", String(EXPIRES_SECONDS));
    const signed = await this.#client.sign(target.href, { method: "GET", aws: { signQuery: true } });
    return signed.url;
  }
}

/** The bucket of the environment, or undefined where none is named. @throws Error when it is named by halves */
export function bucketOf(env: Record<string, string | undefined>): Bucket | undefined {
  if (!env.BUCKET_ENDPOINT_URL) return undefined;
  const parsed = BucketEnvironment.safeParse(env);
  if (parsed.success) return new Bucket(parsed.data);
  throw new Error(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
}
