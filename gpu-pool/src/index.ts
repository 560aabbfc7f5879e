export { type NodeEnv, parseNodeEnv } from "./env.ts";
export { findFfmpeg } from "./media/find-ffmpeg.ts";
export * from "./packs/index.ts";
export { PACK_SOURCES, type PullProgress, pullPack } from "./packs/pull/index.ts";
