export { type LoraAdapter, LoraError, type LoraLayer, loadLora, usesConvolutions } from "./adapter.ts";
export { joinAdapters, type WeightedAdapter } from "./join.ts";
export type { LoraComponent } from "./keys.ts";
export type { LoraTargets } from "./targets.ts";
