export type { Database, DatabaseOptions } from "./database.ts";
export * from "./errors.ts";
export { CLIENT_ID, idOfAlias, newId } from "./ids.ts";
export * from "./jobs/index.ts";
export { openDatabase } from "./open.ts";
export * from "./schema/values.ts";
export type { Wake } from "./verb.ts";
export type { WebhookStyle, WebhookTarget } from "./webhooks/targets.ts";
