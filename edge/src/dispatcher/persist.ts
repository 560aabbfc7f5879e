import { isVerbError } from "@cartoon/db";
import { log } from "../log.ts";

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2_000;

/**
 * Repeats a write while the database is away, for as long as the lease may still hold: a restart of the database
 * must not cost a render. A refusal of the verb itself is passed on at once.
 *
 * The answer to a write may be lost although it was made; then the repetition finds the job changed and is refused,
 * which the caller takes for a lost lease. Nothing is done twice but events of progress.
 */
export async function persist<T>(write: () => Promise<T>, patienceMs: number): Promise<T> {
  const until = Date.now() + patienceMs;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(LONGEST_WAIT_MS, wait * 2)) {
    try {
      return await write();
    } catch (error) {
      if (isVerbError(error) || Date.now() + wait > until) throw error;
      log.warn("the database did not take a write; it is repeated", { error });
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}
