import { rm } from "node:fs/promises";
import { listPacks, loadPack, type Pack, parseNodeEnv } from "@cartoon/gpu-pool";
import { defineCommand } from "citty";
import { size } from "../../lib/progress.ts";
import { EXIT, UsageError } from "../exit.ts";

const packFolders = (): string[] => parseNodeEnv(process.env).CARTOON_PACK_DIRS;

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
  meta: { name: "models", description: "Model packs: cartoon models list" },
  subCommands: { list, verify, remove },
});
