import type { RenderSpec } from "@cartoon/protos";
import { Node, type NodeOptions, type NodePack } from "./node.ts";

/** Every node that this edge may call, and which of them suits a job best. */
export class NodeDirectory {
  readonly #nodes = new Map<string, Node>();
  readonly #listeners = new Set<() => void>();
  readonly #options: NodeOptions;

  constructor(options: NodeOptions) {
    this.#options = options;
  }

  get nodes(): Node[] {
    return [...this.#nodes.values()];
  }

  /** Follows a changed list: new ones are dialled, those that are gone are dropped once idle. */
  setAddresses(addresses: readonly string[]): void {
    for (const address of addresses)
      if (!this.#nodes.has(address))
        this.#nodes.set(address, new Node(address, this.#options, () => this.#changed()));
    for (const [address, node] of this.#nodes) {
      if (addresses.includes(address) || node.inFlight > 0) continue;
      node.close();
      this.#nodes.delete(address);
    }
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Packs over all nodes, the default first. */
  packs(): NodePack[] {
    const byName = new Map<string, NodePack>();
    for (const node of this.#nodes.values())
      for (const pack of node.packs)
        if (!byName.has(pack.manifest.name) || pack.isDefault) byName.set(pack.manifest.name, pack);
    return [...byName.values()].sort((a, b) => Number(b.isDefault) - Number(a.isDefault));
  }

  get freePermits(): number {
    return this.nodes.reduce((sum, node) => sum + node.freePermits, 0);
  }
  get permits(): number {
    return this.nodes.reduce((sum, node) => sum + (node.isServing ? node.permits : 0), 0);
  }

  /** The free node that has the pack, and of those the one with most of the job's models warm and most room. */
  choose(spec: RenderSpec): Node | undefined {
    const wanted = [spec.pack, ...(spec.clip?.characters.map((character) => character.name) ?? [])];
    const score = (node: Node) => wanted.filter((name) => node.warm.includes(name)).length;
    const able = this.nodes.filter(
      (node) =>
        node.freePermits > 0 &&
        (spec.pack === "" || node.packs.some((pack) => pack.manifest.name === spec.pack)),
    );
    const order = (a: Node, b: Node) => score(b) - score(a) || b.freePermits - a.freePermits;
    return able.sort(order)[0];
  }

  close(): void {
    for (const node of this.#nodes.values()) node.close();
    this.#listeners.clear();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
