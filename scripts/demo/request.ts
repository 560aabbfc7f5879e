/**
 * The two-character example of the product's brief, with a cue. The clip lasts as long as the dialogue and each character
 * has more of the LoRA weights while it talks; 33 frames in three context windows, so few steps keep it short on a laptop.
 */
export const REQUEST = {
  characters: ["temo", "felfel"],
  prompt:
    "temo and felfel characters working together on moon base, both characters clearly visible, temo in space suit on left, felfel in adventure gear on right, epic lighting",
  dialogue:
    "[S1] Temo: Welcome to our lunar base, Felfel! (laughs) [S2] Felfel: This technology is incredible, Temo!",
  seed: 42,
  clip: { fps: 6, num_inference_steps: 8, quality: "fast", speaker_focus: 0.6 },
  output: { fit: "extend" },
};
