import type { Segment } from "./encode-text.ts";

/** A line to be spoken, its text already in the form that the model reads. */
export interface PlanLine {
  readonly text: string;
  /** Who speaks; two characters are told apart even where they prefer the same voice. */
  readonly character: string;
  readonly voice: 1 | 2;
}

/** A piece of one line inside a chunk. */
export interface PlannedSegment extends Segment {
  /** Index of the line. */
  readonly line: number;
  readonly character: string;
}

/** What the model speaks in one go. */
export interface PlannedChunk {
  readonly segments: readonly PlannedSegment[];
  /** Expected length of the speech. */
  readonly seconds: number;
}

export interface PlanLimits {
  readonly minSeconds: number;
  readonly maxSeconds: number;
  readonly charactersPerSecond: number;
  readonly maxWords?: number;
  readonly maxLines?: number | undefined;
  /** More turns than this only where a chunk would be too short without them. */
  readonly maxTurns?: number | undefined;
  readonly maxBytes?: number;
  /** Characters that prefer the same voice share it; otherwise the second one gets the other voice. */
  readonly sharedVoices: boolean;
}

const PAUSE_SECONDS = 0.25;

/** Length of the speech of a text, pauses between its sentences included. */
export function speechSeconds(text: string, charactersPerSecond: number): number {
  return text.length / charactersPerSecond;
}

/**
 * Cuts a dialogue into chunks that the model speaks well: short lines are put together, long ones are split
 * at the ends of sentences, at commas or, if need be, between words. No chunk has more than two voices, and the first
 * one ends as soon as it is long enough. Empty lines are passed over.
 */
export function planChunks(lines: readonly PlanLine[], limits: PlanLimits): PlannedChunk[] {
  const chunks: PlannedSegment[][] = [];
  let open: PlannedSegment[] = [];
  for (const [line, { text, character, voice }] of lines.entries()) {
    for (const piece of text === "" ? [] : splitText(text, limits)) {
      let segment = place(open, { line, character, voice, text: piece }, limits);
      // The first chunk is no longer than it has to be: it is what can be heard first.
      const heardFirst = chunks.length === 0 && chunkSeconds(open, limits) >= limits.minSeconds;
      if (!segment || heardFirst || !fits([...open, segment], limits)) {
        if (open.length > 0) chunks.push(open);
        open = [];
        segment = { line, character, voice, text: piece };
      }
      open.push(segment);
    }
  }
  if (open.length > 0) chunks.push(open);
  balanceLast(chunks, limits);
  return chunks.map((segments) => ({ segments, seconds: chunkSeconds(segments, limits) }));
}

/** The segment with a voice of its own in this chunk; null when both are taken by others. */
function place(
  open: readonly PlannedSegment[],
  segment: PlannedSegment,
  limits: PlanLimits,
): PlannedSegment | null {
  const own = open.find(({ character }) => character === segment.character);
  if (own) return { ...segment, voice: own.voice };
  const taken = new Set(open.map(({ voice }) => voice));
  if (limits.sharedVoices || !taken.has(segment.voice)) return segment;
  const other = segment.voice === 1 ? 2 : 1;
  return taken.has(other) ? null : { ...segment, voice: other };
}

function chunkSeconds(segments: readonly PlannedSegment[], limits: PlanLimits): number {
  const spoken = segments.reduce((sum, { text }) => sum + speechSeconds(text, limits.charactersPerSecond), 0);
  return spoken + PAUSE_SECONDS * (segments.length - 1);
}

function fits(segments: readonly PlannedSegment[], limits: PlanLimits): boolean {
  if (segments.length === 1) return true;
  if (new Set(segments.map(({ line }) => line)).size > (limits.maxLines ?? Number.POSITIVE_INFINITY))
    return false;
  const turns = segments.filter(({ voice }, i) => voice !== segments[i - 1]?.voice).length;
  const enough = chunkSeconds(segments.slice(0, -1), limits) >= limits.minSeconds;
  if (turns > (limits.maxTurns ?? Number.POSITIVE_INFINITY) && enough) return false;
  const words = segments.reduce((sum, { text }) => sum + text.split(" ").length + 1, 0);
  const bytes = segments.reduce((sum, { text }) => sum + byteLength(text) + 3, 0);
  return (
    chunkSeconds(segments, limits) <= limits.maxSeconds &&
    words <= (limits.maxWords ?? Number.POSITIVE_INFINITY) &&
    bytes <= (limits.maxBytes ?? Number.POSITIVE_INFINITY)
  );
}

/** A last chunk that is too short takes segments from the one before, or goes into it. */
function balanceLast(chunks: PlannedSegment[][], limits: PlanLimits): void {
  const last = chunks.at(-1);
  const before = chunks.at(-2);
  if (!last || !before) return;
  moveToLast(before, last, limits);
  if (chunkSeconds(last, limits) >= limits.minSeconds) return;
  const placed = last.map((segment) => place(before, segment, limits));
  const joined = [...before, ...placed.flatMap((segment) => segment ?? [])];
  if (placed.includes(null) || !fits(joined, { ...limits, maxTurns: undefined })) return;
  chunks.splice(-2, 2, joined);
}

function moveToLast(before: PlannedSegment[], last: PlannedSegment[], limits: PlanLimits): void {
  while (before.length > 1 && chunkSeconds(last, limits) < limits.minSeconds) {
    const moved = before.at(-1);
    if (!moved || chunkSeconds(before.slice(0, -1), limits) < limits.minSeconds) return;
    const placed = place(last, moved, limits);
    if (!placed || placed.voice !== moved.voice || !fits([moved, ...last], limits)) return;
    before.pop();
    last.unshift(moved);
  }
}

/** Pieces of a text that fit a chunk, cut at the best place there is. */
export function splitText(text: string, limits: PlanLimits): string[] {
  const small = (piece: string) =>
    speechSeconds(piece, limits.charactersPerSecond) <= limits.maxSeconds &&
    piece.split(" ").length < (limits.maxWords ?? Number.POSITIVE_INFINITY) &&
    byteLength(piece) + 3 <= (limits.maxBytes ?? Number.POSITIVE_INFINITY);
  if (small(text)) return [text];
  for (const boundary of [/(?<=[.!?…]["”')]?)\s+/u, /(?<=[,;:–—])\s+/u, /\s+/u]) {
    const parts = text.split(boundary).filter((part) => part !== "");
    if (parts.length > 1)
      return pack(
        parts.flatMap((part) => splitText(part, limits)),
        small,
      );
  }
  return cutWord(text, limits);
}

/** Puts neighbours together again as long as they fit. */
function pack(parts: readonly string[], small: (piece: string) => boolean): string[] {
  const packed: string[] = [];
  for (const part of parts) {
    const last = packed.at(-1);
    if (last !== undefined && small(`${last} ${part}`)) packed[packed.length - 1] = `${last} ${part}`;
    else packed.push(part);
  }
  return packed;
}

function cutWord(word: string, limits: PlanLimits): string[] {
  const longest = Math.max(
    1,
    Math.floor(Math.min(limits.maxSeconds * limits.charactersPerSecond, ((limits.maxBytes ?? 4096) - 3) / 4)),
  );
  const letters = [...word];
  return Array.from({ length: Math.ceil(letters.length / longest) }, (_, i) =>
    letters.slice(i * longest, (i + 1) * longest).join(""),
  );
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
