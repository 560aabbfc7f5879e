import type { ClipSpec } from "@cartoon/protos";
import type { CharacterFocus } from "../pipelines/animatediff/index.ts";
import type { Speech } from "../pipelines/dia/index.ts";

/**
 * Weights that follow the speaker: at `speaker_focus` 1 a silent character keeps none of its weight while
 * another one speaks, at 0 nothing changes. Between lines all keep theirs.
 */
export function speakerFocus(
  clip: Pick<ClipSpec, "characters" | "fps" | "speaker_focus">,
  speech: Pick<Speech, "lines">,
): CharacterFocus {
  const silent = 1 - clip.speaker_focus;
  return (frame) => {
    const seconds = frame / clip.fps;
    const line = speech.lines.find(({ start, end }) => start <= seconds && seconds < end);
    const speaker = line?.character;
    const known = clip.characters.some(({ name }) => name === speaker);
    return Object.fromEntries(
      clip.characters.map(({ name }) => [name, known && name !== speaker ? silent : 1] as const),
    );
  };
}
