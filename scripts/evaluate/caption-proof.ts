/**
 * Renders a long dialogue through the product and measures, for every line, how far its caption in the MP4 starts from
 * the speech that it shows:
 *
 *   bun scripts/evaluate/caption-proof.ts                    # 40 lines with the built-in pack
 *   bun scripts/evaluate/caption-proof.ts --lines 12 --together 3 --out proof.mp4
 *
 * Captions and sound are both read back from the MP4. Speech is found by the level of the waveform alone: the onset after
 * a silence that is nearest to the caption, and no two lines may share one; beside it stands the pitch of the voice just
 * before the caption and after it, which changes where the speaker does. `--together` lets the voice speak several
 * lines in one go, whose borders it must then find by itself. Exits with 1 when a caption starts more than 150 ms off.
 */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { findFfmpeg } from "@cartoon/gpu-pool";
import { medianPitch } from "@cartoon/gpu-pool/speech/pitch";
import { EdgeClient } from "../lib/edge-client.ts";
import { root } from "../lib/root.ts";
import { nodeReady, startStack } from "../lib/stack.ts";
import { script } from "./caption-script.ts";
import { nearestOnset, speechOnsets, type Waveform } from "./onsets.ts";

const LIMIT_MS = 150;
const SAMPLE_RATE = 16_000;

const { values } = parseArgs({
  options: {
    lines: { type: "string", default: "40" },
    together: { type: "string" },
    pack: { type: "string", default: join(root, "gpu-pool/packs/toon") },
    seed: { type: "string", default: "7" },
    steps: { type: "string", default: "4" },
    frames: { type: "string", default: "8" },
    fit: { type: "string", default: "pingpong" },
    out: { type: "string" },
  },
});

/** The pack with another number of lines a go: its files are linked, `pack.json` is its own. */
async function packTogether(pack: string, lines: number, folder: string): Promise<string> {
  const copy = join(folder, "packs", basename(pack));
  await mkdir(copy, { recursive: true });
  for (const name of await readdir(pack)) {
    if (name !== "pack.json") await symlink(join(pack, name), join(copy, name));
  }
  const manifest = JSON.parse(await readFile(join(pack, "pack.json"), "utf8"));
  manifest.voice.lines_per_chunk = lines;
  await writeFile(join(copy, "pack.json"), JSON.stringify(manifest));
  return dirname(copy);
}

/** Renders the script. @returns bytes of the MP4 and of the manifest */
async function render(dialogue: string, folder: string) {
  const pack = values.together
    ? await packTogether(resolve(values.pack), Number(values.together), folder)
    : dirname(resolve(values.pack));
  const stack = await startStack({
    host: "127.0.0.1",
    port: 0,
    dataDir: join(folder, "data"),
    env: { CARTOON_PACK_DIRS: pack },
  });
  try {
    await Promise.race([nodeReady(stack.url), stack.failed]);
    const client = new EdgeClient(stack.url);
    const { id } = await client.submit({
      prompt: "temo and felfel walking through the mountains",
      characters: ["temo", "felfel"],
      dialogue,
      seed: Number(values.seed),
      clip: {
        width: 256,
        height: 256,
        num_frames: Number(values.frames),
        num_inference_steps: Number(values.steps),
      },
      output: { formats: ["mp4"], fit: values.fit },
    });
    const done = await Promise.race([client.follow(id, () => {}), stack.failed]);
    if (done.status !== "succeeded") throw new Error(done.error?.message ?? `the render is ${done.status}`);
    const clip = done.results.find(({ name }) => name === "clip.mp4");
    if (!clip) throw new Error("the render has no MP4");
    return { mp4: await client.download(clip.url), warnings: done.warnings };
  } finally {
    await stack.stop();
  }
}

function ffmpeg(program: string, args: string[]): { stdout: Buffer; stderr: string } {
  const done = spawnSync(program, ["-hide_banner", "-nostats", ...args], { maxBuffer: 2 ** 30 });
  if (done.status !== 0) throw new Error(`ffmpeg: ${done.stderr}`);
  return { stdout: done.stdout, stderr: done.stderr.toString("utf8") };
}

interface Cue {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The MP4's own text track and its sound, as a player presents them. */
async function readBack(file: string): Promise<{ cues: Cue[]; sound: Waveform }> {
  const program = await findFfmpeg({ FFMPEG_PATH: process.env.FFMPEG_PATH, PATH: process.env.PATH });
  const vtt = ffmpeg(program, ["-i", file, "-map", "0:s", "-f", "webvtt", "-"]).stdout.toString("utf8");
  const pcm = ffmpeg(program, [
    "-i",
    file,
    "-map",
    "0:a",
    "-ar",
    `${SAMPLE_RATE}`,
    "-f",
    "f32le",
    "-",
  ]).stdout;
  const { stderr } = ffmpeg(program, [
    "-i",
    file,
    "-map",
    "0:a",
    "-af",
    "ebur128=peak=true",
    "-f",
    "null",
    "-",
  ]);
  const summary = stderr.slice(stderr.lastIndexOf("Summary:"));
  const measured = (label: string) => new RegExp(`${label}:\\s+(\\S+)`).exec(summary)?.[1] ?? "?";
  console.log(`ebur128: ${measured("I")} LUFS, true peak ${measured("Peak")} dBTP`);
  const samples = new Float32Array(new Uint8Array(pcm).buffer);
  const seconds = (time: string) => time.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  const cues = [...vtt.matchAll(/([\d:.]+) --> ([\d:.]+)[^\n]*\n(.+)/g)].map(([, start, end, text]) => ({
    start: seconds(start ?? ""),
    end: seconds(end ?? ""),
    text: text ?? "",
  }));
  return { cues, sound: { samples, sampleRate: SAMPLE_RATE } };
}

const pitchOf = (sound: Waveform, from: number, to: number) => {
  const at = (seconds: number) => Math.round(Math.max(0, seconds) * sound.sampleRate);
  const pitch = medianPitch(sound.samples.subarray(at(from), at(to)), sound.sampleRate);
  return Number.isNaN(pitch) ? "   -" : pitch.toFixed(0).padStart(4);
};

function report(cues: readonly Cue[], sound: Waveform, lines: readonly string[]): boolean {
  const onsets = speechOnsets(sound);
  const taken = new Set<number>();
  const errors: number[] = [];
  console.log("line  caption   speech    off by  Hz before, after  text");
  for (const [i, { start, end, text }] of cues.entries()) {
    const onset = nearestOnset(onsets, start);
    const own = onset !== undefined && !taken.has(onset);
    if (own) taken.add(onset);
    const ms = own ? Math.round((start - onset) * 1000) : Number.POSITIVE_INFINITY;
    errors.push(Math.abs(ms));
    const pitch = [pitchOf(sound, start - 0.9, start), pitchOf(sound, start, Math.min(end, start + 0.9))];
    const columns = [start.toFixed(3).padStart(8), (onset ?? 0).toFixed(3).padStart(8)];
    const off = own ? `${ms} ms` : "no onset of its own";
    console.log(
      `${String(i + 1).padStart(4)}  ${columns.join("  ")}  ${off.padStart(8)}  ${pitch.join(" ")}  ${text}`,
    );
  }
  const sorted = errors.toSorted((a, b) => a - b);
  const missing = lines.length - cues.length;
  const late = errors.filter((error) => error > LIMIT_MS).length;
  console.log(
    `${lines.length} lines, ${(sound.samples.length / sound.sampleRate).toFixed(1)} s: captions off by ` +
      `${sorted[Math.floor(sorted.length / 2)]} ms (median), ${sorted.at(-1)} ms (most); ` +
      `${late} over ${LIMIT_MS} ms, ${missing} missing`,
  );
  return late === 0 && missing === 0;
}

const folder = await mkdtemp(join(tmpdir(), "cartoon-captions-"));
try {
  const { dialogue, lines } = script(Number(values.lines));
  const { mp4, warnings } = await render(dialogue, folder);
  const file = values.out === undefined ? join(folder, "proof.mp4") : resolve(values.out);
  await writeFile(file, mp4);
  for (const { field, rule, used } of warnings) console.log(`note: ${field}: ${rule}; ${used}`);
  const { cues, sound } = await readBack(file);
  if (!report(cues, sound, lines)) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
