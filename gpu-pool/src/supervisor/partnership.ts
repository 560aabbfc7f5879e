import type { FromRunner, Sharing } from "../runner/messages.ts";
import type { Lane } from "./lane.ts";

/** What a runner that draws and its partner say about the passes they share. */
export type SharingEvent = Extract<FromRunner, { type: "share" | "pass" | "assisting" | "passed" }>;

export function isSharing(message: FromRunner): message is SharingEvent {
  return ["share", "pass", "assisting", "passed"].includes(message.type);
}

/** Two runners at one clip: `drawing` asks, `helping` takes passes until it has work of its own, or dies. */
export class Partnership {
  readonly #sharing: Sharing;
  readonly #drawing: Lane;
  readonly #helping: Lane;
  readonly #ended: () => void;
  #over = false;

  /** @param ended called once, when the helper is free again or gone */
  constructor(sharing: Sharing, drawing: Lane, helping: Lane, ended: () => void) {
    this.#sharing = sharing;
    this.#drawing = drawing;
    this.#helping = helping;
    this.#ended = ended;
  }

  begin(): void {
    this.#helping.assist(
      this.#sharing,
      (event) => this.#fromHelper(event),
      () => this.end(),
    );
  }

  #fromHelper(event: SharingEvent): void {
    if (this.#over) return;
    const { run } = this.#sharing;
    if (event.type === "assisting" && event.problem === undefined)
      this.#drawing.send({ type: "partner", run, there: true });
    else if (event.type === "passed") {
      this.#drawing.send({ type: "passed", run, answer: event.answer });
      if (event.answer.problem !== undefined) this.end();
    } else this.end();
  }

  /** A pass that the drawing runner asks for. */
  pass(event: Extract<SharingEvent, { type: "pass" }>): void {
    if (this.#over) return;
    this.#helping.send({ type: "pass", run: event.run, pass: event.pass });
  }

  /** Lets the helper go; the drawing runner does everything itself from here on. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    const { run } = this.#sharing;
    this.#drawing.send({ type: "partner", run, there: false });
    this.#helping.endAssist(run);
    this.#ended();
  }
}
