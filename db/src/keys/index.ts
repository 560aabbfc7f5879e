export { type CreateKeyInput, createKey, rotateKey } from "./create.ts";
export type { ApiKey, NewApiKey } from "./key.ts";
export { listKeys } from "./list.ts";
export { revokeKey } from "./revoke.ts";
export { verifyKey } from "./verify.ts";
