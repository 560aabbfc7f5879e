import type { PackManifest } from "@cartoon/protos";
import type { FormModel } from "./form-page.ts";

/** Voice settings of the built-in pack's size, for packs without a voice. */
const NO_VOICE = { max_new_tokens: 1024, guidance_scale: 3, temperature: 1, top_p: 0.95, top_k: 45 };
const NO_PICTURE = {
  width: 512,
  height: 512,
  num_frames: 16,
  fps: 8,
  num_inference_steps: 20,
  guidance_scale: 5,
};

/** What the form shows of a pack. */
export function formModel(pack: PackManifest, options: { needsKey: boolean; demo: boolean }): FormModel {
  const { picture, voice } = pack;
  return {
    ...options,
    characters: pack.characters.map(({ name, label }) => ({ name, label })),
    suggestions: {
      both: pack.pair_suggestions,
      ...Object.fromEntries(pack.characters.map((one) => [one.name, one.suggestions])),
    },
    picture: picture
      ? {
          width: picture.native.width,
          height: picture.native.height,
          num_frames: picture.frames.default,
          fps: picture.fps.default,
          num_inference_steps: picture.steps.default,
          guidance_scale: picture.guidance_scale.default,
        }
      : NO_PICTURE,
    voice: voice
      ? {
          max_new_tokens: voice.max_tokens,
          guidance_scale: voice.guidance_scale.default,
          temperature: voice.temperature.default,
          top_p: voice.top_p.default,
          top_k: voice.top_k.default,
        }
      : NO_VOICE,
  };
}
