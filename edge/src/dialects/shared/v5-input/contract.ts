/** A number of a v5-style request: its range, and the value where it is absent. */
export interface NumberRule {
  min: number;
  max: number;
  default: number;
  integer?: boolean;
}

export const NUMBER_FIELDS = [
  "num_frames",
  "fps",
  "width",
  "height",
  "guidance_scale",
  "num_inference_steps",
  "max_new_tokens",
  "tts_guidance_scale",
  "temperature",
  "top_p",
  "top_k",
] as const;
export type NumberField = (typeof NUMBER_FIELDS)[number];

export interface Contract {
  name: string;
  numbers: Record<NumberField, NumberRule>;
  /** Letters that are kept. */
  prompt: number;
  dialogue: number;
}

const whole = (min: number, max: number, byDefault: number): NumberRule => ({
  min,
  max,
  default: byDefault,
  integer: true,
});
const real = (min: number, max: number, byDefault: number): NumberRule => ({ min, max, default: byDefault });

/** v5's REST and web contract: `src/handler.py` of v5.0.1. */
export const V5_REST: Contract = {
  name: "v5 REST",
  numbers: {
    num_frames: whole(4, 32, 16),
    fps: real(4, 12, 8),
    width: whole(256, 768, 512),
    height: whole(256, 768, 512),
    guidance_scale: real(1, 15, 7.5),
    num_inference_steps: whole(5, 30, 15),
    max_new_tokens: whole(512, 4096, 3072),
    tts_guidance_scale: real(1, 10, 3),
    temperature: real(0.1, 2, 1.8),
    top_p: real(0.1, 1, 0.9),
    top_k: whole(1, 100, 45),
  },
  prompt: 500,
  dialogue: 1000,
};

/** v5's RunPod contract: the root `handler.py` of v5.0.1. */
export const V5_RUNPOD: Contract = {
  name: "v5 RunPod",
  numbers: {
    num_frames: whole(16, 64, 32),
    fps: real(12, 24, 16),
    width: whole(768, 1536, 1024),
    height: whole(768, 1536, 1024),
    guidance_scale: real(8, 25, 12),
    num_inference_steps: whole(30, 75, 50),
    max_new_tokens: whole(2048, 8192, 4096),
    tts_guidance_scale: real(2, 10, 5),
    temperature: real(0.8, 2, 1.4),
    top_p: real(0.85, 0.95, 0.9),
    top_k: whole(40, 100, 60),
  },
  prompt: 500,
  dialogue: 1000,
};

/** v6: the brief's defaults, and ranges that hold every value that either v5 contract or the brief allows. */
export const V6: Contract = {
  name: "v6",
  numbers: {
    num_frames: whole(4, 48, 32),
    fps: real(4, 24, 16),
    width: whole(256, 1536, 1024),
    height: whole(256, 1536, 1024),
    guidance_scale: real(1, 25, 12),
    num_inference_steps: whole(5, 75, 50),
    max_new_tokens: whole(512, 8192, 4096),
    tts_guidance_scale: real(1, 10, 5),
    temperature: real(0.1, 2, 1.4),
    top_p: real(0.1, 1, 0.9),
    top_k: whole(1, 100, 60),
  },
  prompt: 2000,
  dialogue: 4000,
};

export const TASKS = ["animation", "tts", "combined"] as const;
export type Task = (typeof TASKS)[number];
