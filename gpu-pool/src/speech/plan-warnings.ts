import { NON_VERBALS } from "@cartoon/protos/dialogue/cues";
import type { Warning } from "@cartoon/protos/render-spec";
import { type PlanLimits, type PlanLine, type PlannedChunk, speechSeconds } from "./plan.ts";

const CUES = new RegExp(`\\((?:${NON_VERBALS.join("|")})\\)`, "giu");

const about = (seconds: number) => `about ${seconds.toFixed(1)} s`;

/**
 * What a voice does badly, and what was done about it: lines too short for it are spoken together with others, lines too
 * long are split; what is too short even so is told.
 */
export function planWarnings(
  lines: readonly PlanLine[],
  chunks: readonly PlannedChunk[],
  limits: PlanLimits,
): Warning[] {
  const { minSeconds, maxSeconds, charactersPerSecond } = limits;
  const seconds = lines.map(({ text }) => speechSeconds(text, charactersPerSecond));
  const warnings: Warning[] = [];
  for (const [line, length] of seconds.entries()) {
    const pieces = chunks.flatMap(({ segments }) => segments.filter((segment) => segment.line === line));
    if (pieces.length < 2) continue;
    const rule = `this voice speaks up to ${maxSeconds} s in one go; a longer line is split, at the ends of its sentences where it can be`;
    const field = `speech.lines[${line}].text`;
    warnings.push({ field, given: about(length), used: `${pieces.length} pieces`, rule });
  }
  const together = chunks.filter(({ segments }) => new Set(segments.map(({ line }) => line)).size > 1);
  const short = new Set(
    together.flatMap(({ segments }) =>
      segments.filter(({ line }) => (seconds[line] ?? 0) < minSeconds).map(({ line }) => line),
    ),
  );
  const best = `this voice speaks best from ${minSeconds} s on`;
  if (short.size > 0) {
    const given =
      short.size === 1 ? `a line under ${minSeconds} s` : `${short.size} lines under ${minSeconds} s`;
    const used = "spoken in one go with their neighbours";
    warnings.push({ field: "speech.lines", given, used, rule: `${best}; shorter lines are spoken together` });
  }
  for (const chunk of chunks) {
    // Who speaks one line at a time speaks short ones too.
    if (limits.maxLines !== undefined || chunk.seconds >= minSeconds) continue;
    const rule = `${best}; less may sound rushed`;
    const length = about(chunk.seconds);
    warnings.push({ field: linesField(chunk), given: length, used: length, rule });
  }
  return warnings;
}

/** Cues that a voice without such sounds leaves out. */
export function cueWarning(line: number, text: string): Warning[] {
  const cues = text.match(CUES) ?? [];
  if (cues.length === 0) return [];
  const rule = "this voice has no such sounds; they are left out";
  return [{ field: `speech.lines[${line}].text`, given: [...new Set(cues)].join(" "), used: "", rule }];
}

/** Field of a chunk's lines: `speech.lines[3]`, or `speech.lines[3..5]`. */
export function linesField({ segments }: PlannedChunk): string {
  const [first, last] = [segments[0]?.line ?? 0, segments.at(-1)?.line ?? 0];
  return first === last ? `speech.lines[${first}]` : `speech.lines[${first}..${last}]`;
}
