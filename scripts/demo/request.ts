/**
 * Two characters of the product's brief on its moon base, with a cue. The clip lasts as long as the dialogue and each
 * character has more of the LoRA weights while it talks: 26 frames in two context windows, two UNet passes each, which
 * takes a laptop no longer than 16 frames with the pack's 20 steps.
 */
export const REQUEST = {
  characters: ["temo", "felfel"],
  prompt:
    "temo and felfel characters working together on moon base, both characters clearly visible, temo in space suit on left, felfel in adventure gear on right, epic lighting",
  dialogue: "[S1] Temo: Welcome to our lunar base! (laughs) [S2] Felfel: This technology is incredible!",
  seed: 5,
  clip: { fps: 6, num_inference_steps: 12, quality: "fast", speaker_focus: 0.6 },
  output: { fit: "extend" },
};
