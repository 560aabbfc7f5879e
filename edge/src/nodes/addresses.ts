import { type Database, listNodes, removeLostNodes } from "@cartoon/db";
import { resolveAddress } from "@cartoon/protos";
import type { NodeDirectory } from "../dispatcher/node-directory.ts";
import { log } from "../log.ts";

const REFRESH_MS = 5_000;
/** A registered node that has not been heard of for this long is forgotten; it repeats itself every 15 s. */
const LOST_MS = 60_000;

/** Keeps the list of nodes fresh: those of the configuration, those of DNS, and those that registered themselves. */
export class NodeAddresses {
  readonly #configured: readonly string[];
  readonly #db: Database;
  readonly #nodes: NodeDirectory;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #resolved = new Map<string, string[]>();
  #refreshing: Promise<void> | undefined;

  constructor(configured: readonly string[], db: Database, nodes: NodeDirectory) {
    this.#configured = configured;
    this.#db = db;
    this.#nodes = nodes;
    this.#timer = setInterval(() => void this.refresh(), REFRESH_MS);
    void this.refresh();
  }

  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh()
      .catch((error: unknown) => log.warn("the list of nodes could not be read", { error }))
      .finally(() => {
        this.#refreshing = undefined;
      });
    return this.#refreshing;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#refreshing;
  }

  async #refresh(): Promise<void> {
    const configured = await Promise.all(this.#configured.map((address) => this.#resolve(address)));
    await removeLostNodes(this.#db, this.#db.now() - LOST_MS);
    const registered = (await listNodes(this.#db)).map((node) => node.address);
    this.#nodes.setAddresses([...new Set([...configured.flat(), ...registered])]);
  }

  // While the name server is away the nodes are where they were.
  async #resolve(address: string): Promise<string[]> {
    try {
      const found = await resolveAddress(address);
      this.#resolved.set(address, found);
      return found;
    } catch (error) {
      log.warn("a node's name can't be resolved", { address, error });
      return this.#resolved.get(address) ?? [];
    }
  }
}
