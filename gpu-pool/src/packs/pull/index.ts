export { type PullOptions, type PullProgress, pullPack } from "./pull.ts";
export { PACK_SOURCES, type PackSource } from "./sources.ts";
