import {
  distinct,
  error,
  find,
  gigabytes,
  type Line,
  numeric,
  type Row,
  ratios,
  short,
  times,
} from "./figures.ts";

const EAGER = "diffusers eager";

const VARIANTS: Readonly<Record<string, string>> = {
  native: "own operators",
  plain: "stock operators",
  deterministic: "stock operators, bit-stable",
};
/** Variants of the graph that a user may meet; the others tell single operators apart. */
const shown = (lines: readonly Line[]): string[] => {
  const there = distinct(lines.map(({ who }) => String(who)));
  return Object.keys(VARIANTS).filter((who) => there.includes(who));
};
/** A row for torch alone, where ours was not measured. */
const orNone = (ways: readonly string[]): readonly string[] => (ways.length > 0 ? ways : [""]);
const labelOf = (who: string): string => (VARIANTS[who] ? `, ${VARIANTS[who]}` : "");

const counts = (lines: readonly Line[]) =>
  distinct(lines.flatMap(({ frames }) => numeric(frames) ?? [])).sort((a, b) => a - b);

function steps(lines: readonly Line[]): Row[] {
  const section = lines.filter((line) => line.section === "step" && numeric(line.median));
  return counts(section).flatMap((frames) => {
    const eager = find(section, { who: EAGER, frames });
    const compile = find(section, { who: "torch.compile", frames });
    const torch = find(lines, { section: "step error", frames });
    const ways = shown(section.filter((line) => line.frames === frames));
    return orNone(ways).map((who) => {
      const ours = find(section, { who, frames });
      const name = `UNet step, ${frames} frames${labelOf(who)}`;
      const ratio = ratios(ours, [eager, compile]);
      const peak = numeric(eager?.peakGiB);
      const memory = gigabytes(ours?.memoryMiB) || "";
      const torchMemory = peak ? ` (torch ${((peak * 1024 ** 3) / 1e9).toFixed(1)})` : "";
      const own = memory && memory + torchMemory;
      return [name, times(ours), times(eager), times(compile), ratio, own, error(ours, torch)];
    });
  });
}

function vae(lines: readonly Line[]): Row[] {
  const section = lines.filter((line) => line.section === "vae decode" && numeric(line.median));
  const decoded = counts(section).flatMap((frames) => {
    const eager = find(section, { who: EAGER, frames });
    const finished = section.filter((line) => line.frames === frames && line.output === "rgb");
    return orNone(shown(finished)).map((who) => {
      const ours = find(finished, { who });
      const exact = find(section, { who, frames: 1, output: "sample" });
      const name = `VAE decode, a frame of ${frames} at once${labelOf(who)}`;
      const memory = gigabytes(ours?.memoryMiB);
      return [
        name,
        times(ours, frames),
        times(eager, frames),
        "",
        ratios(ours, [eager]),
        memory,
        error(exact),
      ];
    });
  });
  const encode = find(lines, { section: "vae encode", who: "plain" });
  const eager = find(lines, { section: "vae encode", who: EAGER });
  const encoded = [
    "VAE encode, one image",
    times(encode),
    times(eager),
    "",
    ratios(encode, [eager]),
    "",
    error(encode),
  ];
  return encode || eager ? [...decoded, encoded] : decoded;
}

function text(lines: readonly Line[]): Row[] {
  const section = "text encoder bigG";
  const ours = lines.filter((line) => line.section === section && line.output !== undefined);
  const [first] = ours;
  const eager = find(lines, { section, who: "transformers eager" });
  if (!first && !eager) return [];
  return [["bigG text encoder", times(first), times(eager), "", ratios(first, [eager]), "", error(first)]];
}

/** What opening the UNet takes: time from the page cache, and the most memory of the host. */
function sessions(lines: readonly Line[]): Row[] {
  const section = lines.filter((line) => line.section === "step" && numeric(line.createMs));
  return shown(section).map((who) => {
    const line = section
      .toSorted((a, b) => Number(a.createMs) - Number(b.createMs))
      .find((l) => l.who === who);
    const host = gigabytes(line?.hostPeakMiB);
    return [`UNet session made${labelOf(who)}`, `${line?.createMs}`, "", "", "", host && `host ${host}`, ""];
  });
}

function loras(lines: readonly Line[]): Row[] {
  const section = lines.filter((line) => line.section === "lora" && line.inputs !== undefined);
  return section.map((line) => {
    const what = `rank ${line.rank} on ${line.layers} layers (${line.megabytes} MB, ${line.kept ? "kept on the GPU" : "sent"})`;
    const name = line.inputs === "none" ? "no LoRA inputs" : what;
    return [
      `UNet step, ${line.frames} frames, ${name}`,
      times(line),
      "",
      "",
      "",
      gigabytes(line.memoryMiB),
      "",
    ];
  });
}

function memory(lines: readonly Line[]): Row[] {
  return lines
    .filter((line) => line.section === "memory" && numeric(line.stepMs))
    .map(({ frames, mode, stepMs, peakMiB, who }) => {
      const how = VARIANTS[String(who)] ?? who;
      return [
        `clip with LoRAs, ${frames} frames, ${mode} mode, ${how}`,
        `${stepMs} a step`,
        "",
        "",
        "",
        gigabytes(peakMiB),
        "",
      ];
    });
}

/** Seconds of whole clips and jobs; nothing of torch's to put beside them. */
function wholes(lines: readonly Line[]): Row[] {
  const ways: Readonly<Record<string, string>> = {
    one: "one GPU",
    halves: "one GPU, guidance in halves",
    two: "two GPUs",
  };
  const clips = lines
    .filter(({ figure }) => figure === "two-gpus")
    .map(({ way, frames, steps, size, denoise }) => {
      const name = `${frames} frames of ${size}x${size}, ${steps} steps, ${ways[String(way)] ?? way}`;
      return [name, `${short(numeric(denoise) ?? Number.NaN)} s`, "", "", "", "", ""];
    });
  const shares = lines
    .filter(({ figure }) => figure === "two-gpus ratio")
    .map((line) => {
      const same = line.identicalToHalvesOnOne ? "same bytes" : "other bytes";
      return ["two GPUs against one", "", "", "", `${numeric(line.denoiseOverOne)?.toFixed(2)}x`, "", same];
    });
  const peak = find(lines, { section: "whole job: memory" });
  const jobs = lines
    .filter(({ section }) => section === "whole job")
    .map(({ id, wall, event }) => [
      ...[`whole job, ${id} of the process`, `${wall} s, ${event}`, "", "", "", gigabytes(peak?.peakMiB), ""],
    ]);
  return [...clips, ...shares, ...jobs];
}

/** Rows of the table of pictures, see {@link PICTURE_HEAD}. */
export function pictureRows(lines: readonly Line[]): Row[] {
  return [steps, sessions, loras, memory, vae, text, wholes].flatMap((rows) => rows(lines));
}

export const PICTURE_HEAD: Row = [
  "picture",
  "ours, ms",
  "eager",
  "compile",
  "eager, compile / ours",
  "GPU memory",
  "relative L2 error",
];
