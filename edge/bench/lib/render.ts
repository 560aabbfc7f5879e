/** The render that the benches submit: a clip with two characters who speak. */
export const RENDER = JSON.stringify({
  clip: {
    prompt: "temo and felfel plant a tree on the moon",
    characters: ["temo", "felfel"],
    num_frames: 16,
  },
  dialogue: "[S1] Temo: Look, it grows already! [S2] Felfel: Then we had better water it.",
  output: { formats: ["mp4", "gif"] },
});
