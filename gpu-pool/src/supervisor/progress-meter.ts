import type { RunnerStage } from "../runner/messages.ts";

export type Stage = RunnerStage | "mux" | "upload";

/** Seconds that each stage took lately on this node, for estimates. */
export type StageHistory = Map<string, number>;

// Weights of a first job, in seconds, until the node has measured its own.
const FIRST_GUESS: Record<Stage, number> = {
  load: 4,
  denoise: 10,
  decode: 1,
  speech: 8,
  mux: 1.5,
  upload: 0.3,
};

export interface ProgressReport {
  stage: Stage;
  /** 0 to 1 over the whole job, never falling. */
  fraction: number;
  step: number;
  steps: number;
  etaSeconds: number;
}

export interface MeterPlan {
  steps: number;
  frames: number;
  /** Characters of the dialogue; 0 when nothing is spoken. */
  spokenCharacters: number;
}

interface StageState {
  expected: number;
  part: number;
  started?: number;
}

/** Turns the progress of stages into one of the whole job with an estimate of what is left. */
export class ProgressMeter {
  readonly #stages = new Map<Stage, StageState>();
  readonly #units: Record<string, number>;
  readonly #history: StageHistory;
  readonly #now: () => number;
  #steps = { done: 0, total: 0 };
  #fraction = 0;

  constructor(plan: MeterPlan, history: StageHistory, now: () => number = () => performance.now() / 1000) {
    this.#history = history;
    this.#now = now;
    this.#units = { denoise: plan.steps * plan.frames, decode: plan.frames, speech: plan.spokenCharacters };
    this.#steps.total = plan.steps;
    const add = (stage: Stage) => this.#stages.set(stage, { expected: this.#expect(stage), part: 0 });
    if (plan.steps > 0) for (const stage of ["denoise", "decode"] as const) add(stage);
    if (plan.spokenCharacters > 0) add("speech");
    for (const stage of ["mux", "upload"] as const) add(stage);
  }

  #expect(stage: Stage): number {
    const units = this.#units[stage] ?? 1;
    const rate = this.#history.get(stage);
    return rate === undefined ? FIRST_GUESS[stage] : rate * units;
  }

  update(stage: Stage, done: number, total: number): ProgressReport {
    const now = this.#now();
    const state = this.#stages.get(stage) ?? { expected: FIRST_GUESS[stage], part: 0 };
    state.started ??= now;
    state.part = total > 0 ? Math.min(1, done / total) : 1;
    const elapsed = now - state.started;
    // The first measured part of a stage says more than the past.
    if (state.part > 0 && elapsed > 0) state.expected = elapsed / state.part;
    this.#stages.set(stage, state);
    if (stage === "denoise") this.#steps = { done, total };
    if (state.part === 1 && elapsed > 0) this.#learn(stage, elapsed);
    return this.#report(stage);
  }

  #learn(stage: Stage, seconds: number): void {
    const rate = seconds / Math.max(1, this.#units[stage] ?? 1);
    const known = this.#history.get(stage);
    this.#history.set(stage, known === undefined ? rate : known * 0.7 + rate * 0.3);
  }

  #report(stage: Stage): ProgressReport {
    let all = 0;
    let left = 0;
    for (const { expected, part } of this.#stages.values()) {
      all += expected;
      left += expected * (1 - part);
    }
    this.#fraction = Math.max(this.#fraction, all > 0 ? Math.min(1, 1 - left / all) : 0);
    return {
      stage,
      fraction: this.#fraction,
      step: this.#steps.done,
      steps: this.#steps.total,
      etaSeconds: left,
    };
  }
}
