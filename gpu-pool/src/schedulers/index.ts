export { parseSchedulerConfig, type SchedulerConfig } from "./config.ts";
export { changesNoiseSchedule, createScheduler, presetConfig } from "./presets.ts";
export { needsNoise, type Scheduler, type StepResult, schedulerStep } from "./scheduler.ts";
