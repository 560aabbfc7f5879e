export { type CheckpointPart, checkpointFamily, checkpointWeights } from "./weights.ts";
