/** A piece of one line, spoken by one of the model's two voices. */
export interface Segment {
  readonly voice: 1 | 2;
  readonly text: string;
}

export interface NumberedSpaces {
  /** Byte of the first space. */
  readonly base: number;
  /** How many bytes the count runs through. */
  readonly count: number;
}

export interface EncodedText {
  readonly ids: Uint8Array;
  /** Index in `ids` of each segment's tag, or of its text where it needs none. */
  readonly starts: number[];
}

/**
 * Bytes of one chunk: per segment the tag byte 0x01 (`[S1]`) or 0x02 (`[S2]`), a space and the UTF-8 text,
 * segments joined by a space. With `alternating` a tag stands only where the voice changes, as Dia-1.6B wants it
 * (nari-labs/dia README, "Generation Guidelines"). With `spaces` the n-th space of the chunk is `base + n mod count`, which tells
 * a small encoder how many words came before.
 */
export function encodeText(
  segments: readonly Segment[],
  { spaces, alternating = false }: { spaces?: NumberedSpaces | undefined; alternating?: boolean } = {},
): EncodedText {
  const ids: number[] = [];
  const starts: number[] = [];
  for (const [index, { voice, text }] of segments.entries()) {
    if (index > 0) ids.push(0x20);
    starts.push(ids.length);
    if (!alternating || voice !== segments[index - 1]?.voice) ids.push(voice, 0x20);
    ids.push(...new TextEncoder().encode(text));
  }
  if (spaces) {
    let seen = 0;
    for (const [index, id] of ids.entries()) {
      if (id !== 0x20) continue;
      ids[index] = spaces.base + (seen % spaces.count);
      seen += 1;
    }
  }
  return { ids: Uint8Array.from(ids), starts };
}
