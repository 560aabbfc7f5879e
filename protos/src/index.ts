export * from "./channel.ts";
export * from "./job-status.ts";
export * from "./loader.ts";
export * from "./net/address.ts";
export * from "./net/guarded-fetch.ts";
export * from "./net/resolve-address.ts";
export * from "./pack-manifest.ts";
export * from "./render-spec.ts";
export { inlineImage, StartImage } from "./start-image.ts";
