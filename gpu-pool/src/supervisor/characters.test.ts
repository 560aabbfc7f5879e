import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RenderSpec } from "@cartoon/protos";
import { runFfmpeg } from "../media/run-ffmpeg.ts";
import { safetensors } from "../pipelines/animatediff/testing/tiny-pack.ts";
import {
  clip,
  last,
  output,
  run,
  runRequest,
  speech,
  startTestNode,
  type TestNode,
} from "./testing/test-node.ts";

// The built-in pack itself: real weights, few steps.
setDefaultTimeout(180_000);

const PACKS = join(import.meta.dir, "../../packs");
const TEMO = join(PACKS, "toon/loras/temo_adapter.safetensors");
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

let node: TestNode;
let folder: string;
let lora: Uint8Array;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-characters-"));
  lora = await readFile(TEMO);
  // The port of the test's own store is known once it listens: every URL that the tests name lies there.
  node = await startTestNode({
    CARTOON_PACK_DIRS: PACKS,
    CARTOON_PACK: "toon",
    CARTOON_THREADS: "2",
    CARTOON_ASSET_DIR: join(folder, "assets"),
  });
  node.allowHosts.push(new URL(node.store.origin).host);
  node.store.objects.set("files/temo", lora);
  await node.ready();
});
afterAll(async () => {
  await node.close();
  await rm(folder, { recursive: true, force: true });
});

const shot = { ...clip, ...{ prompt: "temo waves", width: 256, height: 256, num_inference_steps: 2 } };
const quick = { ...shot, num_inference_steps: 1 };
const url = (name: string) => `${node.store.origin}/files/${name}`;
const tomo = (more: object = {}) => ({
  ...{ name: "tomo", label: "Tomo", triggers: ["temo"], speaker: "S1" as const, weight: 1 },
  ...{ lora_sha256: "", voice_sha256: "", transcript: "" },
  ...more,
});
const alone = (name: string, weight = 1) => [{ name, weight }];

const gifOnly = { ...output, formats: ["gif" as const] };

let serial = 0;
async function render(spec: Partial<RenderSpec>, files: Uint8Array[] = []) {
  const job_id = `job-${serial++}`;
  const assets = files.map((bytes) => {
    const hash = sha256(bytes);
    node.store.objects.set(`files/${hash}`, bytes);
    return { sha256: hash, get_url: url(hash), bytes: bytes.length };
  });
  const outcome = await run(node.client, {
    ...runRequest(node.store, { output: gifOnly, ...spec }, { job_id }),
    assets,
  });
  const object = (name: string) => node.store.objects.get(`${job_id}/${name}`) ?? new Uint8Array();
  const json = new TextDecoder().decode(object("manifest.json"));
  return {
    failed: last(outcome)?.failed,
    gif: sha256(object("clip.gif")),
    wav: sha256(object("speech.wav")),
    manifest: json === "" ? undefined : JSON.parse(json),
    warnings: outcome.events.flatMap(({ warning }) => (warning ? [warning] : [])),
  };
}

/** The pack's LoRA with other tensors beside its own. */
function withMore(tensors: Record<string, number[]>): Uint8Array {
  const length = Number(new DataView(lora.buffer, lora.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(lora.subarray(8, 8 + length)));
  const all = new Map<string, { shape: number[]; data: Float32Array }>();
  for (const [key, entry] of Object.entries<{
    dtype: string;
    shape: number[];
    data_offsets: [number, number];
  }>(header)) {
    if (key === "__metadata__") continue;
    const [from, to] = entry.data_offsets;
    const bytes = Uint8Array.from(lora.subarray(8 + length + from, 8 + length + to));
    const data =
      entry.dtype === "F32"
        ? new Float32Array(bytes.buffer)
        : new Float32Array(new Float16Array(bytes.buffer));
    all.set(key, { shape: entry.shape, data });
  }
  for (const [key, shape] of Object.entries(tensors))
    all.set(key, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.02) });
  return safetensors(all, header.__metadata__);
}

describe("a LoRA that was registered or is named by URL", () => {
  test("draws the very clip that the pack's own one draws, and another one than none", async () => {
    const own = await render({ clip: { ...shot, characters: alone("temo") } });
    const none = await render({ clip: { ...shot, characters: alone("temo", 0) } });
    expect(own.gif).not.toBe(none.gif);
    const registered = [tomo({ lora_sha256: sha256(lora) })];
    const byFile = await render({ clip: { ...shot, characters: alone("tomo") }, registered }, [lora]);
    expect(byFile.failed).toBeUndefined();
    expect(byFile.gif).toBe(own.gif);
    expect(byFile.manifest.used.loras).toEqual([
      { field: "registered.tomo", sha256: sha256(lora), character: "tomo" },
    ]);
    const loras = [{ url: `${url("temo")}?token=secret&version=2`, weight: 1 }];
    const byUrl = await render({ clip: { ...shot, characters: alone("temo", 0), loras } });
    expect(byUrl.failed).toBeUndefined();
    expect(byUrl.gif).toBe(own.gif);
    expect(byUrl.manifest.used.loras).toEqual([{ field: "clip.loras.0", sha256: sha256(lora), weight: 1 }]);
    expect(byUrl.manifest.spec.clip.loras).toEqual([
      { url: `${url("temo")}?version=2`, weight: 1, sha256: sha256(lora) },
    ]);
    const both = {
      ...shot,
      characters: [
        { name: "temo", weight: 0.5 },
        { name: "tomo", weight: 0.5 },
      ],
    };
    const pair = await render({ clip: both, registered }, [lora]);
    const half = {
      ...both,
      characters: [{ name: "temo", weight: 0.5 }],
      loras: [{ url: url("temo"), weight: 0.5 }],
    };
    expect((await render({ clip: half })).gif).toBe(pair.gif);
    const regional = await render(
      { clip: { ...both, blend: "regional", num_inference_steps: 1 }, registered },
      [lora],
    );
    expect(regional.failed).toBeUndefined();
  });

  test("tensors that fit nothing are counted; convolutions get the larger graph", async () => {
    const characters = alone("tomo");
    const stray = withMore({ "unet.nowhere.lora_A.weight": [8, 64], "unet.nowhere.lora_B.weight": [64, 8] });
    const odd = await render(
      { clip: { ...quick, characters }, registered: [tomo({ lora_sha256: sha256(stray) })] },
      [stray],
    );
    expect(odd.failed).toBeUndefined();
    expect(odd.warnings.find(({ field }) => field === "registered.tomo")).toMatchObject({
      given: "100 layers and 2 tensors",
      used: "100 layers",
      rule: expect.stringContaining("2 of its tensors fit nothing in this model (unet.nowhere.lora_A.weight"),
    });
    const own = await render({ clip: { ...quick, characters: alone("temo") } });
    expect(odd.gif).toBe(own.gif);
    const target = "unet.down_blocks.0.resnets.0.conv1";
    const [out, input] = await convolutionShape("down_blocks.0.resnets.0.conv1");
    const locon = withMore({
      [`${target}.lora_A.weight`]: [4, input, 3, 3],
      [`${target}.lora_B.weight`]: [out, 4, 1, 1],
    });
    const wide = await render(
      { clip: { ...quick, characters }, registered: [tomo({ lora_sha256: sha256(locon) })] },
      [locon],
    );
    expect(wide.failed).toBeUndefined();
    expect(wide.warnings.filter(({ field }) => field === "registered.tomo")).toEqual([]);
    expect(wide.gif).not.toBe(own.gif);
    expect((await render({ clip: { ...quick, characters: alone("temo") } })).gif).toBe(own.gif);
  });
});

/** Output and input channels of a convolution of the pack's UNet. */
async function convolutionShape(path: string): Promise<[number, number]> {
  const file = await readFile(join(PACKS, "toon/unet/diffusion_pytorch_model.safetensors"));
  const length = Number(file.readBigUInt64LE(0));
  const { shape } = JSON.parse(file.toString("utf8", 8, 8 + length))[`${path}.weight`];
  return [shape[0], shape[1]];
}

describe("what can't be applied", () => {
  const byUrl = (name: string) => ({ clip: { ...quick, loras: [{ url: url(name), weight: 1 }] } });
  test("is refused with its field, whatever is wrong with it, and the node goes on", async () => {
    node.store.objects.set(
      "files/loha",
      safetensors(new Map([["lora_unet_x.hada_w1_a", { shape: [1], data: new Float32Array(1) }]])),
    );
    node.store.objects.set("files/page", new TextEncoder().encode("<html>not a LoRA</html>"));
    const big = { shape: [4, 8], data: new Float32Array(32) };
    const foreign = new Map([
      ["unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight", big],
      [
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_B.weight",
        { ...big, shape: [8, 4] },
      ],
    ]);
    node.store.objects.set("files/foreign", safetensors(foreign));
    for (const [name, code, words] of [
      ["loha", "invalid_spec", "clip.loras.0: LoHa, LoKr, DoRA"],
      ["page", "invalid_spec", "clip.loras.0: not a valid safetensors file"],
      ["none", "invalid_spec", "clip.loras.0.url: the server answered 404"],
      ["foreign", "invalid_lora", "made for another model"],
    ] as const)
      expect((await render(byUrl(name))).failed).toMatchObject({
        code,
        retryable: false,
        message: expect.stringContaining(words),
      });
    const gone = [tomo({ lora_sha256: "0".repeat(64) })];
    const failed = (await render({ clip: { ...quick, characters: alone("tomo") }, registered: gone })).failed;
    expect(failed?.message).toContain("registered.tomo.lora: the file is no longer there");
    const changed = { clip: { ...quick, loras: [{ url: url("temo"), weight: 1, sha256: "0".repeat(64) }] } };
    expect((await render(changed)).failed?.message).toContain("the file is another one now");
    expect((await render({ clip: quick })).failed).toBeUndefined();
  });
});

describe("a voice that was registered", () => {
  const lines = [
    { speaker: "nana", text: "Hello there, my dear." },
    { speaker: "temo", text: "Good day." },
    { speaker: "nana", text: "Come in." },
  ];
  const spec = (registered: ReturnType<typeof tomo>[]) => ({
    ...{ speech: { ...speech, ...{ lines, guidance_scale: 3, max_new_tokens: 400 } }, registered },
    output: { ...output, formats: ["wav" as const] },
  });
  test("is heard: the clip goes through the codec, in any format, the same from run to run", async () => {
    const felfel = await render({
      speech: {
        ...speech,
        lines: [{ speaker: "felfel", text: "I think it said hello." }],
        max_new_tokens: 400,
      },
      output: { ...output, formats: ["wav"] },
    });
    const wav = node.store.objects.get(`job-${serial - 1}/speech.wav`) ?? new Uint8Array();
    expect(felfel.failed).toBeUndefined();
    await writeFile(join(folder, "voice.wav"), wav);
    const args = ["-i", join(folder, "voice.wav"), "-c:a", "flac", join(folder, "voice.flac")];
    await runFfmpeg({ ffmpeg: node.node.facts.ffmpeg, args });
    const clips = [wav, new Uint8Array(await readFile(join(folder, "voice.flac")))];
    const nana = (bytes?: Uint8Array) =>
      spec([
        tomo({
          name: "nana",
          label: "Nana",
          voice_sha256: bytes ? sha256(bytes) : "",
          transcript: bytes ? "I think it said hello." : "",
        }),
      ]);
    const plain = await render(nana());
    const [first, second] = [
      await render(nana(clips[0]), clips.slice(0, 1)),
      await render(nana(clips[1]), clips.slice(1)),
    ];
    expect([plain.failed, first.failed, second.failed]).toEqual([undefined, undefined, undefined]);
    expect(first.wav).not.toBe(plain.wav);
    // FLAC loses nothing: the same samples, the same voice.
    expect(second.wav).toBe(first.wav);
    expect((await render(nana(clips[0]), clips.slice(0, 1))).wav).toBe(first.wav);
    expect(first.manifest.used.lines.map(({ character }: { character: string }) => character)).toEqual([
      "nana",
      "temo",
      "nana",
    ]);
  });

  test("that is no sound, or too short, is refused with its character", async () => {
    const page = new TextEncoder().encode("<html>");
    const bad = spec([tomo({ name: "nana", voice_sha256: sha256(page), transcript: "Hi." })]);
    expect((await render(bad, [page])).failed).toMatchObject({
      code: "invalid_spec",
      message: expect.stringContaining("registered.nana.voice: no WAV"),
    });
  });
});
