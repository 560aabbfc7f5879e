export * from "./channel.ts";
export * from "./job-status.ts";
export * from "./loader.ts";
export * from "./pack-manifest.ts";
export * from "./render-spec.ts";
