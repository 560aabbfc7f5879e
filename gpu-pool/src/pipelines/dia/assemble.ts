import { segmentFrames } from "../../speech/alignment.ts";
import { declip } from "../../speech/declip.ts";
import type { PlannedChunk } from "../../speech/plan.ts";
import { proportionalBorders, type Span, segmentSpans } from "../../speech/spans.ts";
import { fadeEnds, tidySilence } from "../../speech/tidy.ts";
import type { MadeChunk } from "./make-chunk.ts";

/** Silence between two chunks: after a finished line, and inside a line that was split. */
const LINE_GAP_SECONDS = 0.28;
const SPLIT_GAP_SECONDS = 0.12;
const TIDY = { leadSeconds: 0.04, tailSeconds: 0.12, pauseSeconds: 0.6 };

/** A segment's place in the whole dialogue. */
export interface PlacedSegment extends Span {
  readonly line: number;
  readonly voice: 1 | 2;
}

export interface AddedChunk {
  readonly samples: Float32Array;
  readonly start: number;
  /** From seconds of the sound as it was made to seconds of `samples`. */
  readonly moved: (seconds: number) => number;
}

/** Puts chunks one after another: silence tidied, ends faded, a pause between. */
export class Assembly {
  readonly #sampleRate: number;
  readonly #frameRate: number;
  /** Pauses and chunks in turn; each begins and ends in silence. */
  readonly parts: Float32Array[] = [];
  readonly segments: PlacedSegment[] = [];
  #length = 0;
  #lastLine = -1;

  constructor(sampleRate: number, frameRate: number) {
    this.#sampleRate = sampleRate;
    this.#frameRate = frameRate;
  }

  get seconds(): number {
    return this.#length / this.#sampleRate;
  }

  /** @returns the chunk's sound as it was added, where it starts in seconds, and where its moments lie now */
  add(chunk: PlannedChunk, made: MadeChunk): AddedChunk {
    const rate = this.#sampleRate;
    const firstLine = chunk.segments[0]?.line ?? 0;
    if (this.#length > 0) {
      const gap = firstLine === this.#lastLine ? SPLIT_GAP_SECONDS : LINE_GAP_SECONDS;
      this.#push(new Float32Array(Math.round(gap * rate)));
    }
    const start = this.seconds;
    const spans = this.#spans(chunk, made);
    const tidied = tidySilence(declip(made.samples).samples, rate, TIDY);
    fadeEnds(tidied.samples, Math.round(rate * 0.008));
    for (const [i, { line, voice }] of chunk.segments.entries()) {
      const span = spans[i] ?? { start: 0, end: 0 };
      const from = start + tidied.moved(span.start);
      this.segments.push({ line, voice, start: from, end: Math.max(from, start + tidied.moved(span.end)) });
    }
    this.#push(tidied.samples);
    this.#lastLine = chunk.segments.at(-1)?.line ?? firstLine;
    return { samples: tidied.samples, start, moved: tidied.moved };
  }

  #push(samples: Float32Array): void {
    this.parts.push(samples);
    this.#length += samples.length;
  }

  /** When each segment is heard, in seconds of the chunk: read from the attention where there is one. */
  #spans(chunk: PlannedChunk, made: MadeChunk): Span[] {
    const seconds = made.samples.length / this.#sampleRate;
    if (made.alignment.length > 0) {
      const borders = segmentFrames(made.alignment, made.starts).map((frame) => frame / this.#frameRate);
      return segmentSpans(made.samples, this.#sampleRate, borders, 0.2);
    }
    const lengths = chunk.segments.map(({ text }) => text.length + 2);
    return segmentSpans(made.samples, this.#sampleRate, proportionalBorders(lengths, seconds), 0.8);
  }
}

/** Parts one after another. */
export function joinParts(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
