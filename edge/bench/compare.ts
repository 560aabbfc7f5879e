import type { LoadResult } from "./lib/load.ts";
import { quiet, watchOtherWork } from "./lib/other-work.ts";
import { median } from "./lib/stats.ts";
import type { Contender } from "./submissions.ts";

/** A round in which others took more of the machine than this is run again while there is patience left. */
const DISTURBED = 0.1;

/** One contender's rounds; times in milliseconds. */
export interface Rounds {
  perSecond: number;
  /** Of the slowest and the fastest round. */
  range: [number, number];
  p50: number;
  p99: number;
}

export interface Comparison {
  each: Rounds[];
  ratio: number;
  /** Share of the machine that other work took during the rounds, 0 to 1. */
  otherWork: number;
}

interface Round {
  slices: LoadResult[];
  otherWork: number;
}

/**
 * Lets the contenders take turns, a slice each in every round, so that whatever else the machine does at the time
 * meets them alike. Figures are those of the median round; a ratio is between slices that followed each other.
 *
 * @param patienceMs how long to wait for a machine that has nothing else to do
 */
export async function compare(
  contenders: readonly Contender[],
  options: { rounds: number; sliceMs: number; patienceMs: number },
): Promise<Comparison> {
  const until = performance.now() + options.patienceMs;
  const round = async (): Promise<Round> => {
    await quiet(DISTURBED, until - performance.now());
    const others = watchOtherWork();
    const slices: LoadResult[] = [];
    for (const contender of contenders) slices.push(await contender.slice(options.sliceMs));
    return { slices, otherWork: others() };
  };
  // One that does not count: files grow, plans are made, code is compiled.
  await round();
  const rounds: Round[] = [];
  const calm = () => rounds.filter(({ otherWork }) => otherWork < DISTURBED).length;
  while (rounds.length < options.rounds || (calm() < options.rounds && performance.now() < until))
    rounds.push(await round());
  for (const contender of contenders) await contender.check();
  rounds.sort((a, b) => a.otherWork - b.otherWork);
  return summary(rounds.slice(0, options.rounds));
}

function summary(rounds: Round[]): Comparison {
  const [first] = rounds;
  const rates = rounds.map(({ slices: [ours, theirs] }) => (ours?.perSecond ?? 0) / (theirs?.perSecond ?? 1));
  return {
    each: (first?.slices ?? []).map((_, i) => summaryOf(rounds.flatMap(({ slices }) => slices[i] ?? []))),
    ratio: median(rates),
    otherWork: median(rounds.map(({ otherWork }) => otherWork)),
  };
}

function summaryOf(slices: LoadResult[]): Rounds {
  const rates = slices.map(({ perSecond }) => perSecond);
  return {
    perSecond: median(rates),
    range: [Math.min(...rates), Math.max(...rates)],
    p50: median(slices.map(({ p50 }) => p50)),
    p99: median(slices.map(({ p99 }) => p99)),
  };
}
