export { ClipTokenizer, TokenizerError } from "./clip-tokenizer.ts";
export { MAX_CHUNKS, type PromptChunk, promptChunks, wordsCut } from "./prompt-chunks.ts";
export { parsePromptWeights, type WeightedText } from "./prompt-weights.ts";
