import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PackManifest } from "@cartoon/protos";
import { z } from "zod";
import type { NodeDirectory } from "../dispatcher/node-directory.ts";
import { ApiError } from "../errors/table.ts";
import { log } from "../log.ts";

const Saved = z.array(z.object({ manifest: PackManifest, isDefault: z.boolean() }));

/**
 * The packs that nodes have described, for defaults, limits and characters. Kept in the data folder, so that an
 * edge that starts before its nodes still takes jobs.
 */
export class PackCatalog {
  readonly #nodes: NodeDirectory;
  readonly #file: string;
  #saved: z.infer<typeof Saved> = [];
  #savedText = "";

  constructor(nodes: NodeDirectory, dataDir: string) {
    this.#nodes = nodes;
    this.#file = join(dataDir, "packs.json");
    try {
      this.#savedText = readFileSync(this.#file, "utf8");
      this.#saved = Saved.parse(JSON.parse(this.#savedText));
    } catch (error) {
      log.debug("no pack is known from an earlier run", { error });
    }
    nodes.subscribe(() => this.#save(dataDir));
  }

  packs(): z.infer<typeof Saved> {
    const live = this.#nodes.packs();
    return live.length > 0 ? live : this.#saved;
  }

  /**
   * @param name empty for the default pack
   * @throws ApiError `no_nodes` while none is known, `validation_failed` for an unknown name
   */
  pack(name: string): PackManifest {
    const packs = this.packs();
    const found = name === "" ? packs[0] : packs.find((pack) => pack.manifest.name === name);
    if (found) return found.manifest;
    if (packs.length === 0)
      throw new ApiError("no_nodes", "no node has described its models yet; try again in a few seconds", {
        headers: { "retry-after": "2" },
      });
    const known = packs.map((pack) => pack.manifest.name).join(", ");
    throw new ApiError("validation_failed", `#/pack: there is no pack "${name}"; known: ${known}`, {
      errors: [{ detail: `there is no pack "${name}"; known: ${known}`, pointer: "#/pack" }],
    });
  }

  #save(dataDir: string): void {
    const live = this.#nodes.packs();
    if (live.length === 0) return;
    const text = JSON.stringify(live);
    if (text === this.#savedText) return;
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(`${this.#file}.part`, text);
    renameSync(`${this.#file}.part`, this.#file);
    this.#savedText = text;
    this.#saved = live;
  }
}
