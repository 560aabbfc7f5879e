import { exponent, find, gigabytes, type Line, numeric, type Row, short } from "./figures.ts";

export const VOICE_HEAD: Row = ["voice", "ours", "transformers", "ratio", "GPU memory", "error and latency"];

const perSecond = (value: unknown) =>
  numeric(value) === undefined ? "" : `${short(numeric(value) ?? 0)} frames/s`;
const milliseconds = (value: unknown) =>
  numeric(value) === undefined ? "" : `${short(numeric(value) ?? 0)} ms`;

const thousands = (seconds: number | undefined) => (seconds === undefined ? undefined : 1000 * seconds);

/** Rows of the table of voices, see {@link VOICE_HEAD}. */
export function voiceRows(lines: readonly Line[]): Row[] {
  const spoken = lines
    .filter(({ section, batch }) => section === "voice" && batch !== undefined)
    .map((line) => {
      const ratio = numeric(line.timesGenerate);
      const first = numeric(line.firstSecondMs) ? `first second ${milliseconds(line.firstSecondMs)}` : "";
      const separate = JSON.stringify(line.choices ?? {}) === "{}" ? "" : ", separate products";
      return [
        `Dia, ${line.batch === 1 ? "one dialogue" : `${line.batch} dialogues`}${separate}`,
        perSecond(line.framesPerSecond),
        perSecond(line.generate),
        ratio === undefined ? "" : `${ratio.toFixed(1)}x`,
        gigabytes(line.peakMiB),
        first,
      ];
    });
  const logits = find(lines, { section: "voice logits" });
  const compared = logits && [
    ...[`Dia's logits, ${logits.steps} steps`, "", "", "", ""],
    `${exponent(logits.fromFloat32)} from fp32, transformers ${exponent(logits.transformersHalf)}`,
  ];
  const tokens = find(lines, { section: "voice tokens, float32" });
  const equal = tokens && [
    ...[`Dia's tokens in float32, ${tokens.rows} rows`, "", "", "", ""],
    tokens.firstDifference === null ? "all equal" : `equal up to row ${tokens.firstDifference}`,
  ];
  const rest = [compared, equal, decoded(lines), early(lines)];
  return [...spoken, ...rest].filter((row) => row !== undefined);
}

function decoded(lines: readonly Line[]): Row | undefined {
  const codec = find(lines, { section: "DAC decode" });
  if (!codec) return undefined;
  const [seconds, torch] = [numeric(codec.seconds), numeric(codec.transformersSeconds)];
  return [
    ...[
      `DAC decode, ${short(numeric(codec.speechSeconds) ?? 0)} s of sound`,
      milliseconds(thousands(seconds)),
    ],
    ...[milliseconds(thousands(torch)), seconds && torch ? `${(torch / seconds).toFixed(1)}x` : ""],
    ...[gigabytes(codec.memoryMiB), `${exponent(codec.largestError)} at most`],
  ];
}

/** How soon the first second of a dialogue is heard. */
function early(lines: readonly Line[]): Row | undefined {
  const line = find(lines, { section: "first second" });
  if (!line) return undefined;
  const ms = (value: unknown) => numeric((value as { ms?: unknown } | undefined)?.ms);
  const least = (values: unknown) =>
    Math.min(...(values as unknown[]).map((value) => ms(value) ?? Number.NaN));
  const heard = `warm ${milliseconds(least(line.warm))}, with reference clips ${milliseconds(least(line.clips))}`;
  return [
    "first second of sound, whole voice",
    milliseconds(ms(line.cold)),
    "",
    "",
    gigabytes(line.peakMiB),
    heard,
  ];
}
