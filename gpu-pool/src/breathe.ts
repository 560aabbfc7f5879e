/**
 * Lets the event loop take a turn: messages (a cancel among them) and timers get through between blocking model runs.
 * @throws the signal's reason when it is aborted by then
 */
export async function breathe(signal?: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}
