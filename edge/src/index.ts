export { createApp } from "./app.ts";
export { type EdgeConfig, EnvironmentError, parseEnv } from "./env.ts";
export { type Edge, type Serve, start } from "./main.ts";
