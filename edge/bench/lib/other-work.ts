import { readdirSync, readFileSync } from "node:fs";

/** User and system time of this process and all that it has started, and of the whole machine, in clock ticks. */
function ticks(): { own: number; busy: number; all: number } {
  const processes = new Map<number, { parent: number; used: number }>();
  for (const name of readdirSync("/proc")) {
    const process = /^\d+$/.test(name) ? readProcess(name) : undefined;
    if (process) processes.set(Number(name), process);
  }
  let own = 0;
  for (const [id, { used }] of processes) if (isOurs(processes, id)) own += used;
  const [first = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, ...rest] = first
    .replace(/^cpu\s+/, "")
    .split(" ")
    .map(Number);
  // The last two are the time of guests, which is in the user's already.
  const busy = [user, nice, system, ...rest.slice(0, 3)].reduce((sum, part) => sum + part, 0);
  return { own, busy, all: busy + idle + waiting };
}

function readProcess(id: string): { parent: number; used: number } | undefined {
  try {
    const text = readFileSync(`/proc/${id}/stat`, "utf8");
    // After the name, which may hold anything: state, parent, … user and system time, those of ended children.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const used = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { parent: Number(fields[1]), used };
  } catch {
    return undefined;
  }
}

function isOurs(processes: Map<number, { parent: number }>, id: number): boolean {
  for (let at: number | undefined = id; at; at = processes.get(at)?.parent)
    if (at === process.pid) return true;
  return false;
}

/** Starts to watch; what it returns gives the share of the machine, 0 to 1, that others have taken since. */
export function watchOtherWork(): () => number {
  const before = ticks();
  return () => {
    const after = ticks();
    const others = after.busy - before.busy - (after.own - before.own);
    return Math.max(0, others) / Math.max(1, after.all - before.all);
  };
}

/** Resolves once others have taken less than `share` of the machine for a second, or after `patienceMs`. */
export async function quiet(share: number, patienceMs: number): Promise<void> {
  const until = performance.now() + patienceMs;
  do {
    const others = watchOtherWork();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    if (others() < share) return;
  } while (performance.now() < until);
}
