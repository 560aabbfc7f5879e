import type { Dice } from "./random.ts";
import type { Victim } from "./victim.ts";
import type { World } from "./world.ts";

export interface Fault {
  name: string;
  /** How often beside the others. */
  weight: number;
  /** Does the harm, and resolves when it has been made good (started again, thawed, healed). */
  run: (dice: Dice) => Promise<void>;
}

const running = (victims: readonly Victim[]) => victims.filter((one) => one.isRunning && !one.isFrozen);

async function killOne(dice: Dice, victims: readonly Victim[]): Promise<void> {
  const candidates = running(victims);
  if (candidates.length === 0) return;
  const victim = dice.pick(candidates);
  victim.kill();
  await Bun.sleep(dice.between(100, 1_500));
  victim.start();
}

async function freezeOne(dice: Dice, victims: readonly Victim[], longestMs: number): Promise<void> {
  const candidates = running(victims);
  if (candidates.length === 0) return;
  const victim = dice.pick(candidates);
  victim.freeze();
  await Bun.sleep(dice.between(300, longestMs));
  victim.thaw();
}

/** Everything that can go wrong in this world. */
export function faultsOf(world: World): Fault[] {
  const leaseMs = world.options.leaseSeconds * 1000;
  const faults: Fault[] = [
    { name: "kill -9 node", weight: 4, run: (dice) => killOne(dice, world.nodes) },
    { name: "kill -9 edge", weight: 4, run: (dice) => killOne(dice, world.edges) },
    {
      name: "kill -9 runner",
      weight: 3,
      run: async (dice) => {
        const candidates = running(world.nodes);
        if (candidates.length > 0) dice.pick(candidates).killChildren();
      },
    },
    { name: "SIGSTOP node", weight: 3, run: (dice) => freezeOne(dice, world.nodes, 6_000) },
    // Longer than a lease: the others take its jobs over, and it wakes up to find itself fenced off.
    { name: "SIGSTOP edge", weight: 3, run: (dice) => freezeOne(dice, world.edges, leaseMs * 1.6) },
    { name: "cut edge-node", weight: 5, run: async (dice) => dice.pick(world.links).cut() },
    {
      name: "stall edge-node",
      weight: 3,
      run: async (dice) => {
        const link = dice.pick(world.links);
        link.hold();
        await Bun.sleep(dice.between(500, 6_000));
        link.heal();
      },
    },
    {
      name: "slow network",
      weight: 3,
      run: async (dice) => {
        const link = dice.pick(world.proxies);
        link.delayMs = dice.between(20, 250);
        await Bun.sleep(dice.between(500, 3_000));
        link.heal();
      },
    },
    { name: "cut uploads and clients", weight: 3, run: async () => world.balancer.cut() },
  ];
  const { disk, postgres, databaseLink } = world;
  if (disk) faults.push({ name: "full disk", weight: 2, run: (dice) => fillDisk(dice, disk) });
  if (postgres) faults.push({ name: "database restart", weight: 2, run: () => postgres.restart() });
  if (databaseLink) faults.push({ name: "cut database", weight: 3, run: async () => databaseLink.cut() });
  return faults;
}

async function fillDisk(dice: Dice, disk: { fill(): void; free(): void }): Promise<void> {
  disk.fill();
  await Bun.sleep(dice.between(500, 3_000));
  disk.free();
}

/** Lets faults loose at random until the time is over; then everything is healed. Returns how often each came. */
export async function unleash(world: World, dice: Dice, untilMs: number): Promise<Map<string, number>> {
  const faults = faultsOf(world);
  const counts = new Map(faults.map((fault) => [fault.name, 0]));
  const lottery = faults.flatMap((fault) => Array.from({ length: fault.weight }, () => fault));
  // Each at least once, in any order; after that by their weights.
  const first = faults.map((fault) => ({ fault, order: dice.next() })).sort((a, b) => a.order - b.order);
  // One of a kind at a time, so that two never make good what the other has just broken.
  const busy = new Set<Fault>();
  const underWay: Promise<void>[] = [];
  while (Date.now() < untilMs) {
    await Bun.sleep(dice.between(100, 700));
    const free = lottery.filter((fault) => !busy.has(fault));
    const fault = first.pop()?.fault ?? (free.length > 0 ? dice.pick(free) : undefined);
    if (!fault) continue;
    counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1);
    busy.add(fault);
    underWay.push(fault.run(dice).finally(() => busy.delete(fault)));
  }
  await Promise.all(underWay);
  await world.heal();
  return counts;
}
