export { enqueueStoryboard, type StoryboardInput } from "./enqueue.ts";
export { getStoryboard, listStoryboards, type Storyboard, type StoryboardPage, shotResults } from "./read.ts";
export { SHOTS_PART, STORYBOARD } from "./shots.ts";
