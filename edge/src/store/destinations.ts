import type { Job } from "@cartoon/db";
import type { S3Config } from "../env.ts";
import type { DestinationsConfig, PREFIX_FIELDS } from "./destinations-config.ts";
import { attemptKey } from "./key.ts";
import { RoutedStore } from "./routed.ts";
import { S3Store } from "./s3.ts";
import type { Store } from "./store.ts";

const plain = (text: string) => text.replaceAll(/[^A-Za-z0-9._-]/g, "_").replace(/^[.-]+/, "_");

function expand(template: string, job: Job): string {
  const date = new Date(job.createdAt).toISOString().slice(0, 10);
  const [year = "", month = "", day = ""] = date.split("-");
  const values: Record<(typeof PREFIX_FIELDS)[number], string> = {
    id: plain(job.alias ?? job.id),
    tenant: plain(job.tenant),
    date,
    year,
    month,
    day,
  };
  return template
    .replaceAll(/\{(\w+)\}/g, (_, field: (typeof PREFIX_FIELDS)[number]) => values[field])
    .split("/")
    .filter((segment) => segment !== "")
    .join("/");
}

/** Which bucket the results of a job go to, and under which names. */
export class Destinations {
  readonly #config: DestinationsConfig;

  constructor(config: DestinationsConfig) {
    this.#config = config;
  }

  get names(): string[] {
    return Object.keys(this.#config);
  }

  /** The key of an artefact; a repeated attempt never writes over an earlier one. */
  keyOf(job: Job, name: string): string {
    const { destination } = job.extras;
    const config = typeof destination === "string" ? this.#config[destination] : undefined;
    if (!config) return attemptKey(job.id, job.attempt, name);
    const again = job.attempt > 1 ? [`attempt-${job.attempt}`] : [];
    return [`@${destination}`, expand(config.prefix, job), ...again, name]
      .filter((part) => part !== "")
      .join("/");
  }

  /** The main store and the buckets behind one face. */
  route(main: Store): Store {
    const stores = Object.entries(this.#config).map(
      ([name, config]) => [name, new S3Store(toS3(config))] as const,
    );
    return new RoutedStore(main, new Map(stores));
  }
}

const toS3 = (config: DestinationsConfig[string]): S3Config => ({
  endpoint: config.endpoint,
  publicEndpoint: config.public_endpoint ?? config.endpoint,
  bucket: config.bucket,
  region: config.region,
  accessKeyId: config.access_key_id,
  secretAccessKey: config.secret_access_key,
  prefix: "",
});
