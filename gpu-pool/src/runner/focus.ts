import type { ClipSpec } from "@cartoon/protos";
import type { CharacterFocus } from "../pipelines/animatediff/index.ts";
import type { Spoken } from "./messages.ts";

/** Share of the whole LoRA weight that a speaker gets at full focus. */
const SPEAKER_SHARE = 0.8;
/** Seconds over which the weights move from one speaker to the next. */
const RAMP = 0.25;

type Line = Spoken["lines"][number];

/** 1 while the line is spoken, falling to 0 within the ramp before and after it. */
function presence({ start, end }: Line, seconds: number): number {
  const distance = Math.max(start - seconds, seconds - end, 0);
  return Math.max(0, 1 - distance / RAMP);
}

/**
 * Factors on the characters' LoRA weights that follow the speaker: at `speaker_focus` 0 nothing changes; at 1 the
 * speaker has four fifths of the whole weight while it talks, and the others share the rest. Between lines the
 * weights go back, without a jump.
 */
export function speakerFocus(
  clip: Pick<ClipSpec, "characters" | "fps" | "speaker_focus">,
  speech: Pick<Spoken, "lines">,
): CharacterFocus {
  const { characters } = clip;
  const total = characters.reduce((sum, { weight }) => sum + weight, 0);
  return (frame) => {
    const seconds = frame / clip.fps;
    const strength = (name: string) =>
      clip.speaker_focus *
      Math.max(
        0,
        ...speech.lines.filter((line) => line.character === name).map((line) => presence(line, seconds)),
      );
    const factors = characters.map(({ name }) => [name, 1] as [string, number]);
    const [speaker] = characters.toSorted((a, b) => strength(b.name) - strength(a.name));
    if (!speaker || speaker.weight === 0 || total === speaker.weight) return Object.fromEntries(factors);
    const wanted = Math.max(speaker.weight, SPEAKER_SHARE * total);
    const now = speaker.weight + strength(speaker.name) * (wanted - speaker.weight);
    const rest = (total - now) / (total - speaker.weight);
    return Object.fromEntries(
      factors.map(([name]) => [name, name === speaker.name ? now / speaker.weight : rest]),
    );
  };
}
