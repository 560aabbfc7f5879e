import { inlineImage, type PackManifest, type RenderSpec, type Warning } from "@cartoon/protos";
import type { LoraFile } from "../assets/cast.ts";
import type { RunnerResult, StageTime } from "../runner/messages.ts";
import { mouthLines } from "../speech/mouth.ts";
import type { Plan } from "./plan.ts";

export interface ManifestInput {
  jobId: string;
  version: string;
  device: string;
  pack: PackManifest;
  /** LoRAs that came with the request. */
  loras: readonly LoraFile[];
  spec: RenderSpec;
  plan: Plan;
  result: RunnerResult;
  warnings: Warning[];
}

/**
 * Everything that the pixels and the sound depend on: `spec` renders the same again, `used` says what became of
 * it. The same render gives the same text, so it may go into the MP4 without changing its bytes from run to run.
 */
export function provenance(input: ManifestInput) {
  const { version, device, pack, loras, plan, result, warnings } = input;
  const spec = settled(input.spec, loras);
  return {
    generator: "cartoon-animation-worker",
    version,
    device,
    pack: {
      name: pack.name,
      version: pack.version,
      files: Object.fromEntries(Object.entries(pack.files).map(([file, { sha256 }]) => [file, sha256])),
    },
    seed: spec.clip?.seed ?? spec.speech?.seed,
    spec: withShortImage(spec),
    used: {
      clip: withShortImage({ clip: plan.clip }).clip,
      start_image: result.startImage,
      speech: plan.speech,
      pack: result.pack,
      mode: result.mode,
      scheduler: result.scheduler,
      characters: result.characters,
      ...(loras.length > 0 ? { loras: loras.map(loraUsed) } : {}),
      frames: result.frames && { count: result.frames.count, fps: result.frames.fps },
      lines: result.speech && lineTimes(result.speech.lines),
    },
    warnings,
  };
}

const loraUsed = ({ field, character, sha256, weight }: LoraFile) => ({
  ...{ field, sha256 },
  ...(character === undefined ? { weight } : { character }),
});

/** LoRAs by URL with the hash of what the URL gave, and without credentials: the manifest goes wherever the clip goes. */
function settled(spec: RenderSpec, files: readonly LoraFile[]): RenderSpec {
  const { clip } = spec;
  if (!clip?.loras) return spec;
  const byUrl = files.filter(({ character }) => character === undefined);
  const loras = clip.loras.map((lora, i) => ({
    ...lora,
    url: withoutSecrets(lora.url),
    sha256: byUrl[i]?.sha256 ?? lora.sha256 ?? "",
  }));
  return { ...spec, clip: { ...clip, loras } };
}

/** An image that came inside the request is told by its hash, in `used`: the manifest stays small. */
function withShortImage<T extends { clip?: RenderSpec["clip"] }>(spec: T): T {
  const { clip } = spec;
  if (!clip?.start_image) return spec;
  const { url } = clip.start_image;
  const short = inlineImage(url) ? "data:" : withoutSecrets(url);
  return { ...spec, clip: { ...clip, start_image: { ...clip.start_image, url: short } } };
}

const SECRET = /token|key|secret|sig|credential|password|auth|policy|expires/i;

function withoutSecrets(text: string): string {
  const url = new URL(text);
  for (const name of [...url.searchParams.keys()]) if (SECRET.test(name)) url.searchParams.delete(name);
  return url.href;
}

/** The manifest as an artefact: provenance with the job's id and the time that every stage took. */
export function manifestJson(
  input: ManifestInput,
  stages: StageTime[],
  runtime: Record<string, string>,
): string {
  const timings = Object.fromEntries(stages.map(({ stage, seconds }) => [stage, Number(seconds.toFixed(3))]));
  return `${JSON.stringify({ ...provenance(input), job_id: input.jobId, mouth: mouthOf(input), timings, runtime }, null, 2)}\n`;
}

/** To the millisecond: longer fractions come out of other JSON readers with another last digit. */
function lineTimes<Line extends { start: number; end: number }>(lines: readonly Line[]): Line[] {
  const rounded = (seconds: number) => Number(seconds.toFixed(3));
  return lines.map((line) => ({ ...line, start: rounded(line.start), end: rounded(line.end) }));
}

/** Mouth-flap hints for animators, at the frame rate of the clip. */
function mouthOf({ result: { frames, speech } }: ManifestInput) {
  if (!speech) return undefined;
  const rate = frames?.fps ?? speech.mouth.rate;
  return { rate, lines: mouthLines(speech.mouth, lineTimes(speech.lines), rate) };
}
