import { resolveAddress } from "@cartoon/protos";
import { Attachment } from "./attachment.ts";
import type { DialOptions } from "./dial-options.ts";
import type { Node } from "./node.ts";

const REFRESH_MS = 5_000;

export interface AttachmentsOptions {
  node: Node;
  /** `host:port`, or `dns:host:port` for every record of a name. */
  edges: readonly string[];
  dial: DialOptions;
  token: string;
  log: (message: string) => void;
}

const hostOf = (address: string) =>
  address
    .replace(/^dns:/, "")
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "");

/** Keeps a stream open to every edge that this node is told of or that DNS knows. */
export class Attachments {
  readonly #options: AttachmentsOptions;
  readonly #open = new Map<string, Attachment>();
  readonly #resolved = new Map<string, string[]>();
  readonly #timer: Timer;
  #refreshing: Promise<void>;
  #closed = false;

  constructor(options: AttachmentsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#refreshing = this.#refreshing.then(() => this.#refresh());
    }, REFRESH_MS);
    this.#refreshing = this.#refresh();
  }

  /** Says everything that is still to be said and hangs up. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#refreshing;
    await Promise.all([...this.#open.values()].map((attachment) => attachment.close()));
  }

  async #refresh(): Promise<void> {
    const wanted = new Map<string, string>();
    for (const edge of this.#options.edges)
      for (const address of await this.#resolve(edge)) wanted.set(address, hostOf(edge));
    if (this.#closed) return;
    const { node, dial, token, log } = this.#options;
    for (const [address, host] of wanted) {
      if (this.#open.get(address)?.isOver === false) continue;
      const { credentials } = dial;
      const channel = dial.options(host);
      this.#open.set(address, new Attachment({ node, address, credentials, channel, token, log }));
    }
    // An edge that goes down leaves DNS before its last jobs are done: its stream is let be until it ends.
    for (const [address, attachment] of this.#open) {
      attachment.isWanted = wanted.has(address);
      if (!attachment.isOver) continue;
      this.#open.delete(address);
      await attachment.close();
    }
  }

  // While the name server is away the edges are where they were.
  async #resolve(edge: string): Promise<string[]> {
    try {
      const found = await resolveAddress(edge);
      this.#resolved.set(edge, found);
      return found;
    } catch {
      if (!this.#resolved.has(edge)) this.#options.log(`the name of the edge ${edge} can't be resolved`);
      const known = this.#resolved.get(edge) ?? [];
      this.#resolved.set(edge, known);
      return known;
    }
  }
}
