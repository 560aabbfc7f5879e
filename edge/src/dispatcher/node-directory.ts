import type { RenderSpec } from "@cartoon/protos";
import type { nodeChannel } from "./credentials.ts";
import { DialledTransport } from "./dialled.ts";
import { Node, type NodeOptions, type NodePack } from "./node.ts";
import type { NodeTransport } from "./transport.ts";

export interface DirectoryOptions extends NodeOptions {
  /** How nodes are dialled. */
  channel: ReturnType<typeof nodeChannel>;
}

/** A node for a job, and which of its places. */
export interface Placement {
  node: Node;
  place: "any" | "speech";
}

/** Every node that this edge may call, and which of them suits a job best. */
export class NodeDirectory {
  readonly #nodes = new Map<string, Node>();
  readonly #listeners = new Set<() => void>();
  readonly #options: DirectoryOptions;
  /** Addresses of the nodes that have dialled this edge: no list of addresses says anything about them. */
  readonly #attached = new Set<string>();

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  get nodes(): Node[] {
    return [...this.#nodes.values()];
  }

  /** Follows a changed list: new ones are dialled, those that are gone are dropped once idle. */
  setAddresses(addresses: readonly string[]): void {
    for (const address of addresses)
      if (!this.#nodes.has(address)) this.#add(new DialledTransport(address, this.#options.channel));
    for (const [address, node] of this.#nodes) {
      if (addresses.includes(address) || this.#attached.has(address) || isAtWork(node)) continue;
      this.#remove(node);
    }
  }

  /** A node that has dialled this edge. */
  attach(transport: NodeTransport): void {
    this.#attached.add(transport.address);
    this.#add(transport);
  }

  /** Forgets such a node; not as long as attempts of it are under way. Returns whether it is gone. */
  detach(address: string): boolean {
    const node = this.#nodes.get(address);
    if (node && isAtWork(node)) return false;
    if (node) this.#remove(node);
    this.#attached.delete(address);
    return true;
  }

  #add(transport: NodeTransport): void {
    this.#nodes.set(transport.address, new Node(transport, this.#options, () => this.#changed()));
  }

  #remove(node: Node): void {
    node.close();
    this.#nodes.delete(node.address);
    this.#changed();
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
  get freeSpeechPermits(): number {
    return this.nodes.reduce((sum, node) => sum + node.freeSpeechPermits, 0);
  }
  get permits(): number {
    return this.nodes.reduce((sum, node) => sum + (node.isServing ? node.permits : 0), 0);
  }

  /**
   * Where a job goes: of the free nodes that have its pack the one with most of its models warm and most room. A job that
   * only speaks takes a place beyond the permits where there is one.
   */
  choose(spec: RenderSpec): Placement | undefined {
    const speaks = Boolean(spec.speech && !spec.clip);
    const voice = speaks
      ? this.#best(spec, (node) => (hasWarm(node, spec) ? node.freeSpeechPermits : 0))
      : undefined;
    if (voice) return { node: voice, place: "speech" };
    const node = this.#best(spec, (node) => node.freePermits);
    return node && { node, place: "any" };
  }

  #best(spec: RenderSpec, room: (node: Node) => number): Node | undefined {
    const score = (node: Node) => modelsOf(spec, node).filter((name) => node.warm.includes(name)).length;
    const able = this.nodes.filter(
      (node) =>
        room(node) > 0 && (spec.pack === "" || node.packs.some((pack) => pack.manifest.name === spec.pack)),
    );
    return able.sort((a, b) => score(b) - score(a) || room(b) - room(a))[0];
  }

  close(): void {
    for (const node of this.#nodes.values()) node.close();
    this.#listeners.clear();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** What a job needs in memory on a node: its pack, and the LoRAs of its characters. */
function modelsOf({ pack, clip }: RenderSpec, node: Node): string[] {
  const found = node.packs.find(({ manifest, isDefault }) =>
    pack === "" ? isDefault : manifest.name === pack,
  );
  if (!found) return [];
  const cast = clip?.characters.map(({ name }) => name) ?? [];
  const loras = found.manifest.characters.filter(({ name }) => cast.includes(name));
  return [found.manifest.name, ...loras.flatMap(({ adapter }) => adapter ?? [])];
}

/** The pack is in memory: a place beyond the permits is no place to load another one. */
const hasWarm = (node: Node, spec: RenderSpec): boolean => node.warm.includes(modelsOf(spec, node)[0] ?? "");

const isAtWork = (node: Node): boolean => node.inFlight + node.speechInFlight > 0;
