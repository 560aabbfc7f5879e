import { asc, eq, lt, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import type { EventData } from "../schema/values.ts";
import { rows, run, type Verb } from "../verb.ts";

/** A node that failed this often in a row rests. */
const FAILURES_BEFORE_REST = 2;
const FIRST_REST_MS = 15_000;
const LONGEST_REST_MS = 600_000;

/** A node as all edges see it. */
export interface NodeRecord {
  id: string;
  address: string;
  /** Its last status, as it gave it. */
  status: EventData;
  registeredAt: number;
  lastSeenAt: number;
  failuresInARow: number;
  /** Gets no jobs before. */
  restingUntil: number;
}

/** Writes down that a node is there: at its registration and with every sign of life. */
export function seeNode(
  db: Database,
  node: { id: string; address: string; status: EventData },
): Promise<void> {
  return db.write(function* (tx): Verb<void> {
    const fresh = { ...node, registeredAt: tx.now, lastSeenAt: tx.now, failuresInARow: 0, restingUntil: 0 };
    const set = { address: node.address, status: node.status, lastSeenAt: tx.now };
    yield* run(tx.db.insert(tx.t.nodes).values(fresh).onConflictDoUpdate({ target: tx.t.nodes.id, set }));
  });
}

/** A job on a node went well or badly. Two failures in a row send it to rest, longer each time. */
export function noteNodeOutcome(db: Database, id: string, ok: boolean): Promise<NodeRecord | null> {
  return db.write(function* (tx): Verb<NodeRecord | null> {
    const { nodes } = tx.t;
    const counted = { failuresInARow: ok ? sql`0` : sql`${nodes.failuresInARow} + 1` };
    const [node] = yield* rows(tx.db.update(nodes).set(counted).where(eq(nodes.id, id)).returning());
    if (!node) return null;
    const tooMany = node.failuresInARow - FAILURES_BEFORE_REST;
    const rest = tooMany < 0 ? 0 : Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** tooMany);
    const restingUntil = rest === 0 ? 0 : tx.now + rest;
    yield* run(tx.db.update(nodes).set({ restingUntil }).where(eq(nodes.id, id)));
    return { ...node, restingUntil };
  });
}

export function listNodes(db: Database): Promise<NodeRecord[]> {
  return db.read((tx) => rows<NodeRecord>(tx.db.select().from(tx.t.nodes).orderBy(asc(tx.t.nodes.id))));
}

/** Forgets a node that has said goodbye. */
export function removeNode(db: Database, id: string): Promise<void> {
  return db.write((tx) => run(tx.db.delete(tx.t.nodes).where(eq(tx.t.nodes.id, id))));
}

/** Forgets nodes that have not been seen since a time. */
export function removeLostNodes(db: Database, seenBefore: number): Promise<void> {
  return db.write((tx) => run(tx.db.delete(tx.t.nodes).where(lt(tx.t.nodes.lastSeenAt, seenBefore))));
}
