export * from "./characters/index.ts";
export type { Database, DatabaseOptions } from "./database.ts";
export * from "./errors.ts";
export { CLIENT_ID, idOfAlias, newId } from "./ids.ts";
export * from "./jobs/index.ts";
export * from "./keys/index.ts";
export { openDatabase } from "./open.ts";
export {
  listNodes,
  type NodeRecord,
  noteNodeOutcome,
  removeLostNodes,
  removeNode,
  seeNode,
} from "./registry/nodes.ts";
export * from "./schema/values.ts";
export * from "./storyboards/index.ts";
export { type RateAnswer, type RateLimit, takeRate } from "./usage/rate-limit.ts";
export { listUsage, type Usage, usageToday } from "./usage/usage.ts";
export type { Wake } from "./verb.ts";
export * from "./webhooks/index.ts";
