import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromWav, fromWebVtt } from "@cartoon/gpu-pool/media/index";
import { startsFast, streamsOf } from "@cartoon/gpu-pool/media/testing/streams";
import { nodeReady, type Stack, startStack } from "../lib/stack.ts";
import { readBoard } from "./commands/storyboard.ts";

setDefaultTimeout(180_000);

const BOARD = {
  title: "A day",
  style: "at night",
  seed: 3,
  clip: { num_frames: 12, num_inference_steps: 2, fps: 8 },
  shots: [
    {
      prompt: "temo waves on the moon",
      dialogue: "[S1] Temo: Hello there!",
      transition: { type: "crossfade", seconds: 0.5 },
    },
    { prompt: "felfel reads in a park", dialogue: "Felfel: Good day." },
  ],
};

interface Result {
  name: string;
  url: string;
  sha256: string;
  seconds?: number;
}
interface Board {
  id: string;
  status: string;
  results: Result[];
  shots: { id: string; status: string; results: Result[] }[];
}

let folder = "";
let stack: Stack;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon storyboard-"));
  stack = await startStack({ host: "127.0.0.1", port: 0, dataDir: folder, env: { CARTOON_PACK: "toon" } });
  await nodeReady(stack.url);
});
afterAll(async () => {
  await stack?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function cartoon(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts"), ...args], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all([child.stdout, child.stderr].map((pipe) => new Response(pipe).text()));
  return { code: await child.exited, out: out ?? "", err: err ?? "" };
}

const bytesOf = async (results: Result[], name: string): Promise<Uint8Array> =>
  (await fetch(results.find((one) => one.name === name)?.url ?? "")).bytes();
const secondsOf = (results: Result[]) => results.find(({ name }) => name === "clip.mp4")?.seconds ?? 0;

describe("cartoon storyboard, on the built-in pack", () => {
  let board: Board;
  let start = 0;

  test("writes one clip with all that goes with it", async () => {
    await writeFile(join(folder, "board.json"), JSON.stringify(BOARD));
    const made = await cartoon("storyboard", "board.json", "-o", "day.mp4", "--all", "--url", stack.url);
    expect(made).toMatchObject({ code: 0 });
    expect(made.err).toContain("100%");
    expect(made.err).toMatch(/[01]\/2 shots/);
    const { storyboards } = await (await fetch(`${stack.url}/v1/storyboards`)).json();
    expect(storyboards).toHaveLength(1);
    board = await (await fetch(`${stack.url}/v1/storyboards/${storyboards[0].id}`)).json();
    expect([board.status, ...board.shots.map(({ status }) => status)]).toEqual(Array(3).fill("succeeded"));
    for (const { name, sha256 } of board.results) {
      const ending = name === "manifest.json" ? "manifest.json" : name.split(".").at(-1);
      const file = await readFile(join(folder, `day.${ending}`));
      expect(createHash("sha256").update(file).digest("hex")).toBe(sha256);
    }
    expect(board.results).toHaveLength(6);
  });

  test("the cross-fade takes its half second from both shots; captions and voices are where they belong", async () => {
    const [first, second] = board.shots.map(({ results }) => results);
    if (!first || !second) throw new Error("two shots");
    start = secondsOf(first) - 0.5;
    expect(secondsOf(board.results)).toBe(start + secondsOf(second));

    const text = async (results: Result[]) =>
      fromWebVtt(new TextDecoder().decode(await bytesOf(results, "captions.vtt")));
    const captions = await text(board.results);
    expect(captions.map(({ speaker, text }) => [speaker, text])).toEqual([
      ["Temo", "Hello there!"],
      ["Felfel", "Good day."],
    ]);
    expect(captions[0]).toEqual((await text(first))[0] ?? expect.anything());
    const own = (await text(second))[0];
    expect(captions[1]?.start).toBeCloseTo((own?.start ?? 0) + start, 2);
    expect(captions[1]?.end).toBeCloseTo((own?.end ?? 0) + start, 2);

    const [joined, spoken] = [
      fromWav(await bytesOf(board.results, "speech.wav")),
      fromWav(await bytesOf(second, "speech.wav")),
    ];
    // After the overlap the second voice alone is heard, sample by sample.
    const from = Math.round(0.5 * spoken.sampleRate);
    const at = Math.round(start * spoken.sampleRate);
    const apart = spoken.samples
      .subarray(from)
      .map((sample, i) => Math.abs(sample - (joined.samples[at + from + i] ?? 9)));
    expect(apart.reduce((most, one) => Math.max(most, one), 0)).toBeLessThan(1e-3);
  });

  test("the manifest names every shot's job and manifest", async () => {
    const manifest = JSON.parse(new TextDecoder().decode(await bytesOf(board.results, "manifest.json")));
    expect(manifest).toMatchObject({ job_id: board.id, title: "A day" });
    expect(manifest.shots).toMatchObject(
      board.shots.map(({ id, results }) => ({
        job_id: id,
        manifest_sha256: results.find(({ name }) => name === "manifest.json")?.sha256 ?? "",
        seed: 3,
      })),
    );
  });

  test("the clip is H.264, AAC and mov_text, index first", async () => {
    const { codecs, frames } = await streamsOf(join(folder, "day.mp4"));
    expect(codecs).toEqual(["h264", "aac", "mov_text"]);
    expect(frames).toBe(Math.round(secondsOf(board.results) * 8));
    expect(startsFast(await readFile(join(folder, "day.mp4")))).toBe(true);
  });

  // The bundled ffmpeg alone is enough for all of the above; where its companion is there, it is asked too.
  test.if(Bun.which("ffprobe") !== null)("ffprobe agrees on streams and length", async () => {
    const args = ["-v", "error", "-show_streams", "-of", "json", join(folder, "day.mp4")];
    const child = Bun.spawn(["ffprobe", ...args], { stdout: "pipe" });
    const { streams } = await new Response(child.stdout).json();
    expect(streams.map((one: { codec_name: string }) => one.codec_name)).toEqual(["h264", "aac", "mov_text"]);
    expect(Number(streams[0].duration)).toBeCloseTo(secondsOf(board.results), 3);
  });

  test("what the edge refuses is said in its own words; what is no JSON never gets there", async () => {
    const bad = { ...BOARD, shots: [...BOARD.shots, { prompt: "x", characters: ["bob"] }] };
    await writeFile(join(folder, "bad.json"), JSON.stringify(bad));
    const refused = await cartoon("storyboard", "bad.json", "--url", stack.url);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('#/shots/2/characters/0: there is no character "bob"');
    expect((await cartoon("storyboard", "--url", stack.url)).code).toBe(2);
    await writeFile(join(folder, "none.json"), "{");
    expect(readBoard(join(folder, "none.json"))).rejects.toThrow("is not JSON");
    expect(readBoard(join(folder, "absent.json"))).rejects.toThrow("can't be read");
  });
});
