import type { Database } from "@cartoon/db";
import type { CharacterCatalog } from "./characters/catalog.ts";
import type { Dispatcher } from "./dispatcher/dispatcher.ts";
import type { NodeDirectory } from "./dispatcher/node-directory.ts";
import type { EdgeConfig } from "./env.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { NodeAddresses } from "./nodes/addresses.ts";
import type { PackCatalog } from "./renders/catalog.ts";
import type { JobSignals } from "./renders/live.ts";
import type { Store } from "./store/store.ts";
import type { Tracer } from "./tracing/tracer.ts";

/** Everything that routes work with; built once per process by `start`. */
export interface Services {
  config: EdgeConfig;
  db: Database;
  store: Store;
  nodes: NodeDirectory;
  nodeAddresses: NodeAddresses;
  /** Signs URLs and node tokens. */
  secret: string;
  catalog: PackCatalog;
  /** Characters that tenants have registered. */
  characters: CharacterCatalog;
  signals: JobSignals;
  dispatcher: Dispatcher;
  metrics: Metrics;
  tracer: Tracer;
  /** Fires when the process is to stop; open streams end themselves then. */
  stopping: AbortSignal;
}
