/** Which character speaks a line, and with which of the model's two voices. */
export interface Speaker {
  /** Null where the pack gives the voice to nobody. */
  readonly character: string | null;
  readonly voice: 1 | 2;
}

export interface VoiceMap {
  /** Characters of the pack, with the voice each prefers (`S1` or `S2`). */
  readonly characters: readonly { readonly name: string; readonly speaker: string }[];
  /** Owners of the model's own voices: `{ S1: "temo", S2: "felfel" }`; empty for a model without own voices. */
  readonly speakers: Readonly<Record<string, string>>;
  /** Characters of the clip in order: who `S1`, `S2` … are. */
  readonly cast: readonly string[];
}

/** A line names a character that the pack does not have. */
export class UnknownSpeakerError extends Error {
  override readonly name = "UnknownSpeakerError";
  constructor(line: number, speaker: string, known: readonly string[]) {
    const allowed = [...known, "S1", "S2"].join(", ");
    super(`speech.lines[${line}].speaker: "${speaker}" is unknown; known: ${allowed}`);
  }
}

/**
 * Gives every line its speaker. `S1`, `S2` … mean the cast's first, second … character, else the owner of that
 * voice in the pack.
 * @throws UnknownSpeakerError
 */
export function assignSpeakers(lines: readonly { readonly speaker: string }[], map: VoiceMap): Speaker[] {
  return lines.map(({ speaker }, index) => {
    const tag = /^S(\d{1,3})$/.exec(speaker);
    if (!tag) {
      const voice = preferredVoice(speaker, map);
      if (voice === null)
        throw new UnknownSpeakerError(
          index,
          speaker,
          map.characters.map((c) => c.name),
        );
      return { character: speaker, voice };
    }
    const number = Number(tag[1]);
    const character = map.cast[number - 1] ?? map.speakers[speaker] ?? null;
    if (character === null && number !== 1 && number !== 2) {
      throw new UnknownSpeakerError(
        index,
        speaker,
        map.characters.map((c) => c.name),
      );
    }
    const voice = character === null ? null : preferredVoice(character, map);
    return { character, voice: voice ?? (number === 2 ? 2 : 1) };
  });
}

function preferredVoice(character: string, map: VoiceMap): 1 | 2 | null {
  const owned = Object.entries(map.speakers).find(([, owner]) => owner === character)?.[0];
  const known = map.characters.find(({ name }) => name === character);
  if (!owned && !known) return null;
  return (owned ?? known?.speaker) === "S2" ? 2 : 1;
}
