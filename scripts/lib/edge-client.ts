import { z } from "zod";

const Problem = z.object({
  title: z.string().optional(),
  detail: z.string().optional(),
  code: z.string().optional(),
  errors: z.array(z.object({ detail: z.string(), pointer: z.string().optional() })).optional(),
});

const Warning = z.object({ field: z.string(), given: z.string(), used: z.string(), rule: z.string() });

const Render = z.object({
  id: z.string(),
  status: z.string(),
  progress: z.number(),
  warnings: z.array(Warning),
  results: z.array(
    z.object({ name: z.string(), url: z.string(), bytes: z.number(), seconds: z.number().optional() }),
  ),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  receipt: z
    .object({
      device_seconds: z.number(),
      stages: z.array(z.object({ stage: z.string(), seconds: z.number() })),
    })
    .nullable(),
});
export type Render = z.infer<typeof Render>;

const Storyboard = Render.pick({
  id: true,
  status: true,
  progress: true,
  warnings: true,
  results: true,
}).extend({
  stage: z.string(),
  shots_done: z.number(),
  shots: z.array(
    z.object({
      status: z.string(),
      stage: z.string(),
      step: z.number(),
      steps: z.number(),
      warnings: z.array(Warning),
    }),
  ),
  error: Render.shape.error,
});
export type Storyboard = z.infer<typeof Storyboard>;

const Characters = z.object({
  characters: z.array(
    z.object({
      name: z.string(),
      label: z.string(),
      triggers: z.array(z.string()),
      registered: z.boolean(),
    }),
  ),
});
export type Character = z.infer<typeof Characters>["characters"][number];

export interface RenderEvent {
  type: string;
  data: Record<string, unknown>;
}

/** What the edge said no to, in its own words. */
export class EdgeError extends Error {
  override readonly name = "EdgeError";
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const LOOK_MS = 300;
const ENDED = new Set(["succeeded", "failed", "canceled", "timed_out"]);

/** A client of the edge's native API. */
export class EdgeClient {
  readonly #origin: string;
  readonly #headers: Record<string, string>;

  constructor(origin: string, key?: string) {
    this.#origin = origin.replace(/\/+$/, "");
    this.#headers = key ? { authorization: `Bearer ${key}` } : {};
  }

  async #call(path: string, init: RequestInit = {}): Promise<Response> {
    const isJson = typeof init.body === "string";
    const headers = { ...this.#headers, ...(isJson ? { "content-type": "application/json" } : {}) };
    const response = await fetch(this.#origin + path, { ...init, headers });
    if (!response.ok) throw await problemOf(response);
    return response;
  }

  async submit(request: unknown): Promise<Render> {
    const response = await this.#call("/v1/renders", { method: "POST", body: JSON.stringify(request) });
    return Render.parse(await response.json());
  }

  async get(id: string): Promise<Render> {
    return Render.parse(await (await this.#call(`/v1/renders/${id}`)).json());
  }

  async characters(): Promise<Character[]> {
    return Characters.parse(await (await this.#call("/v1/characters")).json()).characters;
  }

  /** @param form fields and files of `POST /v1/characters` */
  async registerCharacter(form: FormData): Promise<{ name: string; created: boolean }> {
    const response = await this.#call("/v1/characters", { method: "POST", body: form });
    const { name } = z.object({ name: z.string() }).parse(await response.json());
    return { name, created: response.status === 201 };
  }

  async removeCharacter(name: string): Promise<void> {
    await this.#call(`/v1/characters/${encodeURIComponent(name)}`, { method: "DELETE" });
  }

  async cancel(id: string): Promise<void> {
    await this.#call(`/v1/renders/${id}/cancel`, { method: "POST" });
  }

  async submitStoryboard(board: unknown): Promise<Storyboard> {
    const response = await this.#call("/v1/storyboards", { method: "POST", body: JSON.stringify(board) });
    return Storyboard.parse(await response.json());
  }

  async cancelStoryboard(id: string): Promise<void> {
    await this.#call(`/v1/storyboards/${id}/cancel`, { method: "POST" });
  }

  /** Looks at a storyboard until it has ended, through broken connections. */
  async watchStoryboard(
    id: string,
    onLook: (storyboard: Storyboard) => void,
    signal?: AbortSignal,
  ): Promise<Storyboard> {
    for (;;) {
      signal?.throwIfAborted();
      try {
        const response = await this.#call(`/v1/storyboards/${id}`, { signal });
        const storyboard = Storyboard.parse(await response.json());
        onLook(storyboard);
        if (ENDED.has(storyboard.status)) return storyboard;
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof EdgeError) throw error;
      }
      await Bun.sleep(LOOK_MS);
    }
  }

  /** Bytes of a result, through its signed URL. */
  async download(url: string): Promise<Uint8Array> {
    const response = await fetch(url);
    if (!response.ok) throw await problemOf(response);
    return response.bytes();
  }

  /** Follows a render to its end, through broken connections. */
  async follow(id: string, onEvent: (event: RenderEvent) => void, signal?: AbortSignal): Promise<Render> {
    let after = 0;
    for (;;) {
      signal?.throwIfAborted();
      const response = await this.#call(`/v1/renders/${id}/events?after=${after}`, { signal });
      try {
        for await (const { seq, type, data } of serverEvents(response)) {
          after = Math.max(after, seq);
          onEvent({ type, data });
        }
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof EdgeError) throw error;
      }
      const render = await this.get(id);
      if (ENDED.has(render.status)) return render;
      await Bun.sleep(200);
    }
  }
}

async function problemOf(response: Response): Promise<EdgeError> {
  const text = await response.text();
  try {
    const problem = Problem.parse(JSON.parse(text));
    const details = problem.errors?.map(({ pointer, detail }) =>
      pointer ? `${pointer}: ${detail}` : detail,
    );
    const message = details?.length ? details.join("; ") : (problem.detail ?? problem.title ?? text);
    return new EdgeError(problem.code ?? String(response.status), message);
  } catch {
    return new EdgeError(String(response.status), text.slice(0, 500) || response.statusText);
  }
}

interface ServerEvent extends RenderEvent {
  seq: number;
}

async function* serverEvents(response: Response): AsyncGenerator<ServerEvent> {
  let buffer = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    buffer += decoder.decode(chunk, { stream: true });
    let end = buffer.indexOf("\n\n");
    for (; end >= 0; end = buffer.indexOf("\n\n")) {
      const event = parseEvent(buffer.slice(0, end));
      buffer = buffer.slice(end + 2);
      if (event) yield event;
    }
  }
}

function parseEvent(block: string): ServerEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trimStart());
  }
  const data = fields.get("data");
  if (data === undefined) return undefined;
  return {
    seq: Number(fields.get("id") ?? 0),
    type: fields.get("event") ?? "message",
    data: JSON.parse(data),
  };
}
