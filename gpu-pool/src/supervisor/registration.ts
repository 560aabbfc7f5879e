/** A node repeats itself this often; an edge forgets it after four times as long. */
const EVERY_MS = 15_000;
const REQUEST_MS = 5_000;

export interface RegistrationOptions {
  /** Origins of edges. One is enough where they share a database. */
  edges: readonly string[];
  /** From `cartoon keys node`. */
  token: string;
  /** `host:port` by which edges reach this node. */
  address: string;
  log: (message: string) => void;
}

/** Tells edges where this node is, until it says goodbye. */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #failing = new Set<string>();

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#announce(), EVERY_MS);
    void this.#announce();
  }

  async leave(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#options.edges.map((edge) => this.#send(edge, "DELETE")));
  }

  async #announce(): Promise<void> {
    await Promise.all(this.#options.edges.map((edge) => this.#send(edge, "PUT")));
  }

  async #send(edge: string, method: "PUT" | "DELETE"): Promise<void> {
    const { token, address, log } = this.#options;
    const problem = await fetch(new URL("/v1/nodes/self", edge), {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: method === "PUT" ? JSON.stringify({ address }) : undefined,
      signal: AbortSignal.timeout(REQUEST_MS),
    }).then(
      async (response) => {
        await response.body?.cancel();
        return response.ok ? undefined : `answered ${response.status}`;
      },
      () => "can't be reached",
    );
    // Said once, not every 15 seconds.
    if (problem === undefined) this.#failing.delete(edge);
    else if (!this.#failing.has(edge)) {
      this.#failing.add(edge);
      log(`the edge ${edge} ${problem}`);
    }
  }
}
