export { chooseCharacters, defaultWeight } from "./characters.ts";
export { loadAnimateDiff } from "./load.ts";
export * from "./types.ts";
