import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { listPacks, loadPack, PACK_SOURCES, type Pack, parseNodeEnv, pullPack } from "@cartoon/gpu-pool";
import { defineCommand } from "citty";
import { Presets, SingleBar } from "cli-progress";
import { packDirs, pulledPacks } from "../../lib/pack-dirs.ts";
import { size } from "../../lib/progress.ts";
import { defaultDataDir } from "../environment.ts";
import { EXIT, interruption, UsageError } from "../exit.ts";

const packFolders = (): string[] =>
  parseNodeEnv({ ...process.env, CARTOON_PACK_DIRS: packDirs(defaultDataDir) }).CARTOON_PACK_DIRS;

const bytesOf = (pack: Pack): number =>
  Object.values(pack.manifest.files).reduce((sum, { bytes }) => sum + bytes, 0);

async function find(name: string): Promise<Pack> {
  const { packs, broken } = await listPacks(packFolders());
  const pack = packs.find((one) => one.manifest.name === name);
  if (pack) return pack;
  const why = broken.find((one) => one.name === name)?.problems.join("\n  ");
  if (why) throw new Error(`the pack "${name}" is broken:\n  ${why}`);
  throw new UsageError(
    `there is no pack "${name}"; there are ${packs.map((one) => one.manifest.name).join(", ") || "none"}`,
  );
}

const list = defineCommand({
  meta: { name: "list", description: "The packs on this machine" },
  async run() {
    const { packs, broken } = await listPacks(packFolders());
    for (const pack of packs) {
      const { name, version, characters, picture, voice } = pack.manifest;
      const can = [
        picture ? `${picture.native.width}x${picture.native.height}` : "",
        voice ? "voice" : "",
      ].filter(Boolean);
      console.log(
        `${name} ${version}  ${size(bytesOf(pack))}  ${can.join(", ")}  ${characters.map((c) => c.name).join(", ")}`,
      );
    }
    for (const { name, problems } of broken) console.log(`${name}  BROKEN: ${problems.join("; ")}`);
    return broken.length > 0 ? EXIT.failed : EXIT.ok;
  },
});

const verify = defineCommand({
  meta: {
    name: "verify",
    description: "Compare every file of a pack with its hash: cartoon models verify toon",
  },
  args: { pack: { type: "positional", description: "Name of the pack", required: true } },
  async run({ args }) {
    const { folder } = await find(args.pack);
    const { manifest } = await loadPack(folder, { verify: true });
    console.log(`${manifest.name}: ${Object.keys(manifest.files).length} files are what they should be`);
    return EXIT.ok;
  },
});

const pull = defineCommand({
  meta: {
    name: "pull",
    description: `Download a pack; an interrupted one goes on: cartoon models pull ${Object.keys(PACK_SOURCES)[0]}`,
  },
  args: {
    pack: { type: "positional", description: Object.keys(PACK_SOURCES).join(" or "), required: true },
    hub: {
      type: "string",
      description: "The hub, or a mirror of it",
      default: process.env.HF_ENDPOINT || "https://huggingface.co",
    },
    from: {
      type: "string",
      description:
        "Folder with the repositories instead (OWNER/NAME, or a Hugging Face cache): without a network",
    },
    to: { type: "string", description: "Folder that holds packs", default: pulledPacks(defaultDataDir) },
  },
  async run({ args }) {
    const source = PACK_SOURCES[args.pack];
    if (!source)
      throw new UsageError(
        `there is no "${args.pack}" to pull; there are ${Object.keys(PACK_SOURCES).join(", ")}`,
      );
    const signal = interruption();
    const bar = new SingleBar(
      {
        format: "{bar} {percentage}%  {done} of {all}  {file}",
        hideCursor: true,
        noTTYOutput: true,
        notTTYSchedule: 10_000,
        stream: process.stderr,
      },
      Presets.shades_classic,
    );
    bar.start(1000, 0, { done: "", all: "", file: "asking the hub" });
    try {
      const pack = await pullPack(source, {
        root: args.to,
        hub: {
          url: args.from ? pathToFileURL(resolve(args.from)).href : args.hub,
          token: process.env.HF_TOKEN,
        },
        signal,
        onProgress: ({ bytes, total, file }) =>
          bar.update(Math.floor((1000 * bytes) / total), { done: size(bytes), all: size(total), file }),
      });
      bar.stop();
      console.log(`${pack.manifest.name} is in ${pack.folder}`);
      return EXIT.ok;
    } finally {
      bar.stop();
    }
  },
});

const remove = defineCommand({
  meta: { name: "remove", description: "Delete a pack from this machine" },
  args: {
    pack: { type: "positional", description: "Name of the pack", required: true },
    yes: { type: "boolean", description: "Really delete it" },
  },
  async run({ args }) {
    const pack = await find(args.pack);
    if (!args.yes) throw new UsageError(`this deletes ${pack.folder}; say --yes to do it`);
    await rm(pack.folder, { recursive: true });
    console.log(`${args.pack} is gone`);
    return EXIT.ok;
  },
});

export const models = defineCommand({
  meta: { name: "models", description: "Model packs: cartoon models list|pull|verify|remove" },
  subCommands: { list, pull, verify, remove },
});
