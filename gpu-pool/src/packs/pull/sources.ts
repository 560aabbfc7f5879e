import type { PackManifest } from "@cartoon/protos";

/** A file wanted from a repository: the first of `from` that it has, saved under the name `to`. */
export interface FileWish {
  from: readonly string[];
  to: string;
  optional?: boolean;
}

/** One component of a pack and where it comes from. */
export interface ComponentSource {
  component: string;
  repo: string;
  /** A commit; a branch name is resolved when the pack is pulled and recorded in its manifest. */
  revision: string;
  files: readonly FileWish[];
  /** Take every file that matches, under its own name: for weights in shards. */
  all?: RegExp;
}

export interface PackSource {
  manifest: Omit<PackManifest, "components" | "files">;
  components: readonly ComponentSource[];
}

const same = (...names: string[]): FileWish[] => names.map((name) => ({ from: [name], to: name }));

/** A diffusers or transformers model in a folder of its repository; half precision where it is published. */
function model(
  component: string,
  repo: string,
  revision: string,
  weights: string,
  folder = component,
): ComponentSource {
  const at = (file: string) => (folder ? `${folder}/${file}` : file);
  const half = weights.replace(".safetensors", ".fp16.safetensors");
  return {
    component,
    repo,
    revision,
    files: [
      { from: [at("config.json")], to: "config.json" },
      { from: [at(half), at(weights)], to: weights },
    ],
  };
}

function tokenizer(component: string, repo: string, revision: string): ComponentSource {
  const files = ["vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"];
  return { component, repo, revision, files: files.map((to) => ({ from: [`${component}/${to}`], to })) };
}

const scheduler = (repo: string, revision: string): ComponentSource => ({
  component: "scheduler",
  repo,
  revision,
  files: [{ from: ["scheduler/scheduler_config.json"], to: "scheduler_config.json" }],
});

const DIFFUSION = "diffusion_pytorch_model.safetensors";
const SDXL = [
  "stabilityai/stable-diffusion-xl-base-1.0",
  "462165984030d82259a11f4367a4eed129e94a7b",
] as const;
const SDXL_VAE = ["madebyollin/sdxl-vae-fp16-fix", "207b116dae70ace3637169f1ddd2434b91b3a8cd"] as const;
const SD15 = [
  "stable-diffusion-v1-5/stable-diffusion-v1-5",
  "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
] as const;
const SDXL_MOTION = [
  "guoyww/animatediff-motion-adapter-sdxl-beta",
  "26c864717b4d4b002bb48ae6c9d6bb431548c6cb",
] as const;
const SD15_MOTION = [
  "guoyww/animatediff-motion-adapter-v1-5-2",
  "6167b88ffe39b4441fdf2113e77b99a6f56b7906",
] as const;

const VOICE_SOURCES: ComponentSource[] = [
  {
    component: "dia",
    repo: "nari-labs/Dia-1.6B-0626",
    revision: "ef2795fcc29c5abe6ffc91fd33808588b49bbc66",
    files: same("config.json", "generation_config.json"),
    all: /^model[^/]*\.safetensors$/,
  },
  {
    component: "dac",
    repo: "descript/dac_44khz",
    revision: "c1bc521685adf9cfe247bc39a5ca58917eda1ac4",
    files: same("config.json", "model.safetensors"),
  },
];

const VOICE: PackManifest["voice"] = {
  sample_rate: 44_100,
  max_tokens: 3072,
  guidance_scale: { default: 3 },
  temperature: { default: 1.8 },
  top_p: { default: 0.9 },
  top_k: { default: 45 },
  chunk_seconds: { min: 5, max: 20 },
  characters_per_second: 14,
  speakers: { S1: "temo", S2: "felfel" },
};

/** Their LoRAs are nobody's to publish: put them into the pack's `loras` folder and name them in pack.json. */
const CHARACTERS: PackManifest["characters"] = [
  {
    ...{ name: "temo", label: "Temo", weight: 1, pair_weight: 0.5, triggers: ["temo"], speaker: "S1" },
    voice: { seed: 1 },
    suggestions: [
      {
        prompt: "temo character space walking with ultra HD detail",
        dialogue: "[S1] Temo: Look, I can fly!",
      },
    ],
  },
  {
    ...{ name: "felfel", label: "Felfel", weight: 1, pair_weight: 0.5, triggers: ["felfel"], speaker: "S2" },
    voice: { seed: 2 },
    suggestions: [
      {
        prompt: "felfel exploring a crystal cave, adventure gear",
        dialogue: "[S2] Felfel: What a discovery!",
      },
    ],
  },
];

const PAIR = [
  {
    prompt: "temo and felfel exploring alien planet together, epic adventure",
    dialogue: "[S1] Temo: Look at this incredible landscape! [S2] Felfel: Amazing discovery!",
  },
];

const common = {
  format: 1 as const,
  version: "6.0.0",
  voice: VOICE,
  characters: CHARACTERS,
  pair_suggestions: PAIR,
};

/** The packs that can be pulled. */
export const PACK_SOURCES: Readonly<Record<string, PackSource>> = {
  sdxl: {
    manifest: {
      ...common,
      name: "sdxl",
      license: "CreativeML Open RAIL++-M; Apache-2.0 (voice)",
      description: "SDXL base 1.0 with the AnimateDiff SDXL motion adapter, Dia-1.6B and DAC 44.1 kHz.",
      picture: {
        family: "sdxl",
        native: { width: 1024, height: 1024 },
        sizes: [
          [1024, 1024],
          [1152, 896],
          [896, 1152],
          [1216, 832],
          [832, 1216],
          [1344, 768],
          [768, 1344],
        ],
        multiple_of: 32,
        // As many frames in one pass as the motion adapter has positions for; runners with too little memory take 16.
        frames: { min: 8, max: 128, default: 32, window: 32, overlap: 4 },
        fps: { default: 8 },
        steps: { default: 50, max: 100 },
        guidance_scale: { default: 8 },
        scheduler_preset: "sdxl-official",
        max_tokens: 77,
      },
    },
    components: [
      model("unet", ...SDXL, DIFFUSION),
      model("motion_adapter", ...SDXL_MOTION, DIFFUSION, ""),
      model("vae", ...SDXL_VAE, DIFFUSION, ""),
      model("text_encoder", ...SDXL, "model.safetensors"),
      model("text_encoder_2", ...SDXL, "model.safetensors"),
      tokenizer("tokenizer", ...SDXL),
      tokenizer("tokenizer_2", ...SDXL),
      scheduler(...SDXL),
      ...VOICE_SOURCES,
    ],
  },
  sd15: {
    manifest: {
      ...common,
      name: "sd15",
      license: "CreativeML Open RAIL-M; Apache-2.0 (motion, voice)",
      description:
        "Stable Diffusion 1.5 with the AnimateDiff v1-5-2 motion adapter: what stands in for sdxl.",
      picture: {
        family: "sd15",
        native: { width: 512, height: 512 },
        sizes: [
          [512, 512],
          [640, 384],
          [384, 640],
          [576, 448],
          [448, 576],
        ],
        multiple_of: 64,
        frames: { min: 8, max: 128, default: 32, window: 16, overlap: 4 },
        fps: { default: 8 },
        steps: { default: 30, max: 100 },
        guidance_scale: { default: 7.5 },
        scheduler_preset: "sd15",
        max_tokens: 77,
      },
    },
    components: [
      model("unet", ...SD15, DIFFUSION),
      model("motion_adapter", ...SD15_MOTION, DIFFUSION, ""),
      model("vae", ...SD15, DIFFUSION),
      model("text_encoder", ...SD15, "model.safetensors"),
      tokenizer("tokenizer", ...SD15),
      scheduler(...SD15),
      ...VOICE_SOURCES,
    ],
  },
};
