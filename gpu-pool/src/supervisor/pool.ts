import type { NodeHealth } from "@cartoon/protos/gen/NodeHealth";
import type { NodeStatus__Output } from "@cartoon/protos/gen/NodeStatus";
import type { RunnerSetup } from "../runner/messages.ts";
import { Slot } from "./slot.ts";
import type { Place } from "./speech-seats.ts";
import { UsageMeter } from "./usage.ts";

type Health = Extract<NodeHealth, string>;

/** The slots of a node and the health that follows from them. */
export class Pool {
  readonly slots: Slot[];
  readonly usage: UsageMeter;
  readonly #nodeId: string;
  readonly #listeners = new Set<(status: NodeStatus__Output) => void>();
  #draining = false;
  #last = "";

  /** @param slots the runners of each slot */
  constructor(nodeId: string, slots: RunnerSetup[][]) {
    this.#nodeId = nodeId;
    this.usage = new UsageMeter({
      devices: slots.flatMap(([first]) => first?.device ?? []),
      pids: () => this.slots.flatMap(({ lanes }) => lanes.flatMap(({ pid }) => pid ?? [])),
      onSample: () => this.#announce(),
    });
    this.slots = [];
    for (const setups of slots) this.slots.push(new Slot(setups, () => this.#announce()));
  }

  status(): NodeStatus__Output {
    const usable = this.slots.filter(({ state }) => !["setup_failed", "defunct", "closed"].includes(state));
    const idle = this.slots.filter(({ state }) => state === "idle");
    const seats = usable.flatMap(({ speechSeats }) => speechSeats ?? []);
    return {
      node_id: this.#nodeId,
      health: this.#health(),
      permits_total: usable.length,
      permits_free: this.#draining ? 0 : idle.length,
      speech_permits_total: seats.reduce((sum, { total }) => sum + total, 0),
      speech_permits_free: this.#draining ? 0 : seats.reduce((sum, { free }) => sum + free, 0),
      warm: [...new Set(this.slots.flatMap(({ warm }) => warm))],
      detail: this.slots.find(({ detail }) => detail)?.detail ?? "",
      usage: this.usage.read(),
    };
  }

  #health(): Health {
    const any = (state: Slot["state"]) => this.slots.some((slot) => slot.state === state);
    if (this.#draining) return "NODE_HEALTH_DRAINING";
    if (any("idle")) return "NODE_HEALTH_READY";
    if (any("busy")) return "NODE_HEALTH_BUSY";
    if (any("starting")) return "NODE_HEALTH_STARTING";
    return any("defunct") ? "NODE_HEALTH_DEFUNCT" : "NODE_HEALTH_SETUP_FAILED";
  }

  /** A taken slot, if possible one that has the pack in memory; undefined when all are busy. */
  take(pack: string): Slot | undefined {
    if (this.#draining) return undefined;
    const idle = this.slots.filter(({ state }) => state === "idle");
    const slot = idle.find(({ warm }) => warm.includes(pack)) ?? idle[0];
    return slot?.take() ? slot : undefined;
  }

  /** A place for a job that only speaks, beside others; undefined when it has to take a slot. */
  takeSpeechSeat(pack: string): Place | undefined {
    if (this.#draining) return undefined;
    for (const { speechSeats } of this.slots) {
      const seat = speechSeats?.take(pack);
      if (seat) return seat;
    }
    return undefined;
  }

  /** Calls `listener` with every change from now on; returns how to stop that. */
  subscribe(listener: (status: NodeStatus__Output) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  drain(): void {
    this.#draining = true;
    this.#announce();
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Idle slots help those that work. */
  #match(): void {
    for (const slot of this.slots) {
      const sharing = slot.wants;
      const helper = sharing && this.slots.find((other) => other.canHelp(slot, sharing));
      if (helper) slot.join(helper);
    }
  }

  #announce(): void {
    this.#match();
    const status = this.status();
    const text = JSON.stringify(status);
    if (text === this.#last) return;
    this.#last = text;
    for (const listener of this.#listeners) listener(status);
  }

  async close(): Promise<void> {
    this.usage.close();
    await Promise.all(this.slots.map((slot) => slot.close()));
  }
}
