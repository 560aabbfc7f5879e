import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { PackManifest } from "@cartoon/protos/pack-manifest";
import { RunnerProcess } from "../src/supervisor/runner-process.ts";

const turn = [
  { speaker: "S1", text: "Look at this incredible landscape! The mountains are glowing in the evening sun." },
  { speaker: "S2", text: "Amazing discovery! Let us take a picture and send it home." },
];

/** A runner with a pack's voice, as a node has it, and a dialogue of twenty lines for it. */
export async function startSpeaker(packFolder: string | undefined, where: string | undefined) {
  const pack = resolve(packFolder ?? join(import.meta.dirname, "../packs/toon"));
  const device = where === "cuda" ? ({ kind: "cuda", index: 0 } as const) : ({ kind: "cpu" } as const);
  const { name, voice } = PackManifest.parse(JSON.parse(await readFile(join(pack, "pack.json"), "utf8")));
  if (!voice) throw new Error("the pack has no voice");
  const folder = await mkdtemp(join(tmpdir(), "cartoon-voice-"));
  const runner = new RunnerProcess({
    setup: { parts: ["voice"], packs: [pack], device, threads: 0, cacheDir: join(folder, "cache") },
    onWarm: () => {},
    onExit: () => {},
  });
  await runner.ready;
  const job = {
    ...{ folder, pack: name, cast: [], extend: false, references: [], checkpointEvery: 0 },
    ...{ deterministic: false, shared: false },
    speech: {
      lines: Array.from({ length: 10 }, () => turn).flat(),
      max_new_tokens: 4096,
      guidance_scale: voice.guidance_scale.default,
      temperature: voice.temperature.default,
      top_p: voice.top_p.default,
      top_k: voice.top_k.default,
      seed: 1,
      voices: [],
    },
  };
  const stop = async () => {
    await runner.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { runner, job, stop };
}
