import { expect, test } from "bun:test";
import { onEachDatabase } from "../../test/contract.ts";
import { manualClock } from "../../test/factories.ts";
import { listNodes, noteNodeOutcome, removeLostNodes, removeNode, seeNode } from "../index.ts";

onEachDatabase("nodes", (backend) => {
  test("two failures in a row send a node to rest, longer each time, a success wakes it", async () => {
    const { clock, time } = manualClock();
    const db = await backend.open({ clock });
    await seeNode(db, { id: "n1", address: "10.0.0.1:50051", status: { health: "READY" } });
    expect((await noteNodeOutcome(db, "n1", false))?.restingUntil).toBe(0);
    expect((await noteNodeOutcome(db, "n1", true))?.failuresInARow).toBe(0);
    const rests: number[] = [];
    for (let i = 0; i < 12; i++) rests.push((await noteNodeOutcome(db, "n1", false))?.restingUntil ?? 0);
    expect(rests.slice(0, 3)).toEqual([0, time.now + 15_000, time.now + 30_000]);
    expect(rests.at(-1)).toBe(time.now + 600_000);
    expect(await noteNodeOutcome(db, "nobody", false)).toBeNull();
  });

  test("nodes are seen, listed and forgotten", async () => {
    const { clock, advance, time } = manualClock();
    const db = await backend.open({ clock });
    await seeNode(db, { id: "old", address: "a:1", status: {} });
    advance(10);
    await seeNode(db, { id: "gone", address: "c:1", status: {} });
    await seeNode(db, { id: "new", address: "b:1", status: {} });
    await seeNode(db, { id: "new", address: "b:2", status: { permits: 2 } });
    await removeLostNodes(db, time.now);
    await removeNode(db, "gone");
    expect(await listNodes(db)).toMatchObject([{ id: "new", address: "b:2", status: { permits: 2 } }]);
  });
});
