export * from "./captions.ts";
export * from "./find-ffmpeg.ts";
export * from "./fit.ts";
export * from "./frames.ts";
export * from "./gif.ts";
export * from "./mp4.ts";
export { FfmpegKilled } from "./run-ffmpeg.ts";
export * from "./stills.ts";
export * from "./wav.ts";
