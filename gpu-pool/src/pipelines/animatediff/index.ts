export type { CastLora, ClipCast } from "./cast.ts";
export { chooseCharacters, defaultWeight } from "./characters.ts";
export { loadAnimateDiff } from "./load.ts";
export { isOutOfMemory } from "./memory.ts";
export { chooseMemoryMode, fittingWindow, voiceBytes } from "./memory-plan.ts";
export * from "./types.ts";
