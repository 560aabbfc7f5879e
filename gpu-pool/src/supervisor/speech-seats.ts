import type { Device } from "../runner/messages.ts";
import type { Lane } from "./lane.ts";
import type { Slot } from "./slot.ts";

/** Dialogues that one runner speaks side by side: as many as its decoder takes in one batch. */
const SEATS = { cpu: 4, cuda: 8 } as const;

/** What an attempt needs of the place where it runs. */
export type Place = Pick<Slot, "device" | "release" | "run" | "finish">;

/**
 * Places for jobs that only speak, on the runner that has a device's voice to itself: beside one another, and beside the
 * clip that the device draws. Dialogues that wait at the same time go through the decoder together.
 */
export class SpeechSeats {
  readonly #lane: Lane;
  readonly #device: Device;
  readonly #changed: () => void;
  #taken = 0;

  constructor(lane: Lane, device: Device, changed: () => void) {
    this.#lane = lane;
    this.#device = device;
    this.#changed = changed;
  }

  get total(): number {
    return this.#lane.state === "up" ? SEATS[this.#device.kind] : 0;
  }

  get free(): number {
    return Math.max(0, this.total - this.#taken);
  }

  /** A seat for a job of a pack whose voice is in memory: another one would take it from those who speak. */
  take(pack: string): Place | undefined {
    if (this.free === 0 || !this.#lane.warm.includes(pack)) return undefined;
    this.#taken += 1;
    this.#changed();
    return {
      device: this.#device,
      run: (...args) => this.#lane.run(...args),
      finish: (run: string) => this.#lane.send({ type: "finish", run }),
      release: () => {
        this.#taken -= 1;
        this.#changed();
      },
    };
  }
}
