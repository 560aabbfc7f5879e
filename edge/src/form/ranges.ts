import type { Slider } from "./controls.ts";

/** The picture sliders, with v6 ranges and the pack's own values as the start. */
export function pictureSliders(start: {
  width: number;
  height: number;
  num_frames: number;
  fps: number;
  num_inference_steps: number;
  guidance_scale: number;
}): Slider[] {
  return [
    { name: "num_frames", label: "Frames", min: 8, max: 48, step: 1, value: start.num_frames },
    { name: "fps", label: "Frames per second", min: 4, max: 24, step: 1, value: start.fps },
    { name: "width", label: "Width", min: 256, max: 1536, step: 64, value: start.width },
    { name: "height", label: "Height", min: 256, max: 1536, step: 64, value: start.height },
    {
      name: "num_inference_steps",
      label: "Inference steps",
      min: 4,
      max: 75,
      step: 1,
      value: start.num_inference_steps,
      hint: "More steps, more detail, more time.",
    },
    {
      name: "guidance_scale",
      label: "Guidance scale",
      min: 1,
      max: 25,
      step: 0.5,
      value: start.guidance_scale,
      hint: "How closely the picture follows the prompt.",
    },
  ];
}

/** The voice sliders, with v6 ranges. */
export function voiceSliders(start: {
  max_new_tokens: number;
  guidance_scale: number;
  temperature: number;
  top_p: number;
  top_k: number;
}): Slider[] {
  return [
    {
      name: "max_new_tokens",
      label: "Voice tokens",
      min: 256,
      max: 8192,
      step: 256,
      value: start.max_new_tokens,
    },
    {
      name: "tts_guidance_scale",
      label: "Voice guidance",
      min: 1,
      max: 10,
      step: 0.5,
      value: start.guidance_scale,
    },
    { name: "temperature", label: "Temperature", min: 0.1, max: 2, step: 0.1, value: start.temperature },
    { name: "top_p", label: "Top-p", min: 0.1, max: 1, step: 0.05, value: start.top_p },
    { name: "top_k", label: "Top-k", min: 1, max: 100, step: 1, value: start.top_k },
  ];
}
