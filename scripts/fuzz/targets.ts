import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadLora } from "@cartoon/gpu-pool/lora/index";
import { decodeSound } from "@cartoon/gpu-pool/media/decode-sound";
import { findFfmpeg } from "@cartoon/gpu-pool/media/find-ffmpeg";
import { readWav } from "@cartoon/gpu-pool/speech/read-wav";
import { ClipTokenizer, parsePromptWeights, promptChunks } from "@cartoon/gpu-pool/tokenizers/index";
import { openWeights, readFloat32 } from "@cartoon/gpu-pool/weights/weight-set";
import { inspectLora } from "@cartoon/protos/lora/inspect";
import { headerLength, LENGTH_BYTES } from "@cartoon/protos/lora/safetensors-header";
import { GOOD_LORAS, GOOD_SOUNDS, HOSTILE_LORAS, HOSTILE_SOUNDS, LAYER } from "./corpus.ts";
import { CONFIG, GOOD_TOKENIZERS, HOSTILE_PROMPTS, HOSTILE_TOKENIZERS } from "./tokenizer-corpus.ts";

export interface Target {
  /** Files that are right, which mutations begin with. */
  good: readonly Uint8Array[];
  hostile: Readonly<Record<string, Uint8Array>>;
  /** Names of the errors in which it refuses a file; any other one is a crash. */
  refuses: readonly string[];
  /** Cases of a long run; fewer where each one is a process of its own. */
  share: number;
  run(bytes: Uint8Array, folder: string): Promise<void>;
}

const size = { path: LAYER, in: 6, out: 4 };
const targets = { unet: [size], text_encoder: [], text_encoder_2: [] };

async function onDisk(bytes: Uint8Array, folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

const encoded = (text: string) => new TextEncoder().encode(text);
const ffmpeg = await findFfmpeg({ ...process.env });

export const TARGETS: Readonly<Record<string, Target>> = {
  safetensors: {
    good: GOOD_LORAS,
    hostile: HOSTILE_LORAS,
    refuses: ["SafetensorsError"],
    share: 1,
    run: async (bytes, folder) => {
      const weights = await openWeights([await onDisk(bytes, folder, "x.safetensors")]);
      for (const key of weights.keys().slice(0, 8))
        if (/^B?F/.test(weights.get(key).dtype)) await readFloat32(weights.get(key));
    },
  },
  lora: {
    good: GOOD_LORAS,
    hostile: HOSTILE_LORAS,
    refuses: ["LoraError", "SafetensorsError"],
    share: 1,
    run: async (bytes, folder) => {
      const path = await onDisk(bytes, folder, "x.safetensors");
      await loadLora(path, { name: "x", targets, layersPerBlock: 2 });
    },
  },
  "lora at the edge": {
    good: GOOD_LORAS,
    hostile: HOSTILE_LORAS,
    refuses: ["LoraFileError", "HeaderProblem"],
    share: 1,
    run: async (bytes) => {
      const length = headerLength(bytes.subarray(0, LENGTH_BYTES), bytes.length);
      inspectLora(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), bytes.length);
    },
  },
  tokenizer: {
    good: GOOD_TOKENIZERS,
    hostile: HOSTILE_TOKENIZERS,
    refuses: ["TokenizerError"],
    share: 0.3,
    run: async (bytes, folder) => {
      await onDisk(CONFIG, folder, "tokenizer_config.json");
      await onDisk(bytes, folder, "tokenizer.json");
      const tokenizer = await ClipTokenizer.load(folder, 77);
      tokenizer.words("temo and felfel on the moon aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
    },
  },
  prompts: {
    good: HOSTILE_PROMPTS.map(encoded),
    hostile: Object.fromEntries(HOSTILE_PROMPTS.map((text, i) => [`prompt ${i + 1}`, encoded(text)])),
    refuses: [],
    share: 0.3,
    run: async (bytes, folder) => {
      const tokenizer = await builtIn(folder);
      promptChunks(tokenizer, parsePromptWeights(new TextDecoder().decode(bytes.subarray(0, 64 * 1024))));
    },
  },
  wav: {
    good: GOOD_SOUNDS,
    hostile: HOSTILE_SOUNDS,
    refuses: ["WavError"],
    share: 1,
    run: async (bytes) => void readWav(bytes),
  },
  "sound by ffmpeg": {
    good: GOOD_SOUNDS,
    hostile: HOSTILE_SOUNDS,
    refuses: ["SoundError"],
    share: 0.02,
    run: async (bytes, folder) => {
      const input = await onDisk(bytes, folder, "in.bin");
      const output = join(folder, "out.wav");
      await decodeSound(ffmpeg, input, output, AbortSignal.timeout(20_000));
      await rm(output, { force: true });
    },
  },
};

let loaded: ClipTokenizer | undefined;
async function builtIn(folder: string): Promise<ClipTokenizer> {
  if (loaded) return loaded;
  const [small] = GOOD_TOKENIZERS;
  const own = join(folder, "built-in");
  await mkdir(own, { recursive: true });
  await onDisk(CONFIG, own, "tokenizer_config.json");
  await onDisk(small ?? new Uint8Array(), own, "tokenizer.json");
  loaded = await ClipTokenizer.load(own, 77);
  return loaded;
}
