/** Lets the event loop take a turn, so that messages and timers get through between blocking model runs. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
