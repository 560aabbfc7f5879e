export type { LoraComponent } from "@cartoon/protos/lora/keys";
export { type LoraAdapter, LoraError, type LoraLayer, loadLora, usesConvolutions } from "./adapter.ts";
export { AdapterFiles } from "./adapter-files.ts";
export { joinAdapters, type LoraFormat, type WeightedAdapter } from "./join.ts";
export type { LoraTargets } from "./targets.ts";
