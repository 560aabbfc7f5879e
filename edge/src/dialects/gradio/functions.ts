import type { PackManifest } from "@cartoon/protos";
import { type NumberField, type Task, V6 } from "../shared/v5-input/contract.ts";

/** One input or output as a Gradio component. */
export interface Component {
  name: string;
  label: string;
  type: "dropdown" | "textbox" | "slider" | "number" | "video" | "image" | "audio" | "json";
  /** Value where a client leaves it out. */
  value?: unknown;
  choices?: string[];
  minimum?: number;
  maximum?: number;
  step?: number;
}

export interface GradioFunction {
  /** `/animation`, `/voice` and `/combined` for clients. */
  apiName: string;
  task: Task;
  inputs: Component[];
  outputs: Component[];
}

const slider = (name: NumberField, label: string): Component => {
  const { min, max, default: value, integer } = V6.numbers[name];
  return { name, label, type: "slider", value, minimum: min, maximum: max, step: integer ? 1 : 0.05 };
};

const PICTURE = [
  slider("num_frames", "Frames"),
  slider("fps", "FPS"),
  slider("width", "Width"),
  slider("height", "Height"),
  slider("guidance_scale", "Guidance scale"),
  slider("num_inference_steps", "Inference steps"),
];
const VOICE = [
  slider("max_new_tokens", "Max tokens"),
  slider("tts_guidance_scale", "TTS guidance"),
  slider("temperature", "Temperature"),
  slider("top_p", "Top-p"),
  slider("top_k", "Top-k"),
];
const text = (name: string, label: string, value?: string): Component => ({
  name,
  label,
  type: "textbox",
  value,
});
const SEED: Component = { name: "seed", label: "Seed (empty for random)", type: "number", value: null };

const VIDEO: Component = { name: "clip.mp4", label: "Video", type: "video" };
const GIF: Component = { name: "clip.gif", label: "Animation", type: "image" };
const AUDIO: Component = { name: "speech.wav", label: "Audio", type: "audio" };
const STATUS: Component = { name: "status", label: "Status", type: "json" };

/** The functions of v5's web interface, in the order of their inputs. */
export function gradioFunctions(pack: PackManifest): GradioFunction[] {
  const names = pack.characters.map((one) => one.name);
  const character: Component = {
    name: "character",
    label: "Character",
    type: "dropdown",
    value: names.length > 1 ? "both" : (names[0] ?? ""),
    choices: names.length > 1 ? [...names, "both"] : names,
  };
  const prompt = text("prompt", "Prompt");
  const negative = text("negative_prompt", "Negative prompt", "");
  const dialogue = text("dialogue_text", "Dialogue");
  const voiceClip: Component[] = [
    { name: "voice_clip", label: "Voice clip", type: "audio", value: null },
    text("voice_transcript", "What is said in the clip", ""),
    {
      name: "voice_character",
      label: "Who speaks with this voice",
      type: "dropdown",
      value: names[0] ?? "",
      choices: names,
    },
  ];
  const startImage: Component[] = [
    { name: "start_image", label: "Start image", type: "image", value: null },
    {
      ...{ name: "start_strength", label: "How much of it is redrawn", type: "slider" },
      ...{ value: 0.7, minimum: 0.05, maximum: 1, step: 0.05 },
    },
  ];
  return [
    {
      apiName: "animation",
      task: "animation",
      inputs: [character, prompt, negative, SEED, ...PICTURE, ...startImage],
      outputs: [GIF, VIDEO, STATUS],
    },
    {
      apiName: "voice",
      task: "tts",
      inputs: [character, dialogue, SEED, ...VOICE, ...voiceClip],
      outputs: [AUDIO, STATUS],
    },
    {
      apiName: "combined",
      task: "combined",
      inputs: [
        character,
        prompt,
        dialogue,
        negative,
        SEED,
        ...PICTURE,
        ...VOICE,
        ...voiceClip,
        ...startImage,
      ],
      outputs: [GIF, VIDEO, AUDIO, STATUS],
    },
  ];
}
