import { expect, test } from "bun:test";
import { onEachDatabase } from "../../test/contract.ts";
import { manualClock } from "../../test/factories.ts";
import {
  assetBytes,
  claimAssets,
  deleteCharacter,
  getCharacter,
  listCharacters,
  MAX_CHARACTERS,
  ownedAssets,
  putCharacter,
  takeReleasedAssets,
  type Wake,
} from "../index.ts";

const HASH = { lora: "a".repeat(64), voice: "b".repeat(64) };
const asset = (kind: "lora" | "voice") => ({
  sha256: HASH[kind],
  kind,
  bytes: 12,
  storageKey: `assets/x/${HASH[kind]}`,
});
const bare = (name: string) => ({ name, data: { label: name }, loraSha256: null, voiceSha256: null });

onEachDatabase("characters", (backend) => {
  test("each tenant has characters of its own", async () => {
    const db = await backend.open();
    expect((await putCharacter(db, "acme", bare("nana"))).created).toBe(true);
    const changed = { ...bare("nana"), data: { label: "Nana the cat" } };
    expect((await putCharacter(db, "acme", changed)).created).toBe(false);
    await putCharacter(db, "acme", bare("bobo"));
    await putCharacter(db, "other", bare("nana"));
    expect((await listCharacters(db, "acme")).map(({ name, data }) => [name, data.label])).toEqual([
      ["bobo", "bobo"],
      ["nana", "Nana the cat"],
    ]);
    await expect(getCharacter(db, "other", "bobo")).rejects.toMatchObject({ code: "not_found" });
    await expect(deleteCharacter(db, "other", "bobo")).rejects.toMatchObject({ code: "not_found" });
    await deleteCharacter(db, "acme", "nana");
    await expect(deleteCharacter(db, "acme", "nana")).rejects.toMatchObject({ code: "not_found" });
    expect((await getCharacter(db, "other", "nana")).data).toEqual({ label: "nana" });
  });

  test("a file stays for as long as a character uses it, and a while after that", async () => {
    const { clock, advance, time } = manualClock();
    const db = await backend.open({ clock });
    await claimAssets(db, "acme", [asset("lora"), asset("voice")]);
    const both = { ...bare("nana"), loraSha256: HASH.lora, voiceSha256: HASH.voice };
    await putCharacter(db, "acme", both);
    await putCharacter(db, "acme", { ...bare("twin"), loraSha256: HASH.lora });
    advance(10);
    expect(await takeReleasedAssets(db, time.now)).toEqual([]);
    await deleteCharacter(db, "acme", "nana");
    expect((await ownedAssets(db, "acme", Object.values(HASH))).length).toBe(2);
    expect(await assetBytes(db, "acme", [])).toBe(24);
    expect(await assetBytes(db, "acme", [HASH.lora])).toBe(12);
    expect(await assetBytes(db, "other", [])).toBe(0);
    expect(await takeReleasedAssets(db, time.now)).toEqual([]);
    advance(10);
    expect((await takeReleasedAssets(db, time.now)).map(({ sha256 }) => sha256)).toEqual([HASH.voice]);
    await putCharacter(db, "acme", bare("twin"));
    advance(10);
    expect((await takeReleasedAssets(db, time.now)).map(({ kind }) => kind)).toEqual(["lora"]);
    expect(await ownedAssets(db, "acme", Object.values(HASH))).toEqual([]);
  });

  test("a claim alone is swept in the end, a claim made again is as good as new", async () => {
    const { clock, advance, time } = manualClock();
    const db = await backend.open({ clock });
    await claimAssets(db, "acme", [asset("lora")]);
    advance(10);
    await claimAssets(db, "acme", [asset("lora")]);
    expect(await takeReleasedAssets(db, time.now)).toEqual([]);
    advance(1);
    expect((await takeReleasedAssets(db, time.now)).length).toBe(1);
  });

  test("files of others are neither told of nor taken", async () => {
    const db = await backend.open();
    await claimAssets(db, "acme", [asset("lora")]);
    expect(await ownedAssets(db, "other", [HASH.lora])).toEqual([]);
    const stolen = { ...bare("thief"), loraSha256: HASH.lora };
    await expect(putCharacter(db, "other", stolen)).rejects.toMatchObject({ code: "invalid_input" });
  });

  test("their number is limited, and every change is told to all processes", async () => {
    const url = await backend.createUrl();
    const db = await backend.connect(url);
    const neighbour = await backend.connect(url);
    const heard: Wake[] = [];
    neighbour.subscribe((wake) => heard.push(wake));
    for (let i = 0; i < MAX_CHARACTERS; i++) await putCharacter(db, "acme", bare(`c${i}`));
    await expect(putCharacter(db, "acme", bare("one-more"))).rejects.toMatchObject({
      code: "too_many_characters",
    });
    await putCharacter(db, "acme", bare("c7"));
    const told = ({ type }: Wake) => type === "poll" || type === "characters";
    for (let i = 0; i < 200 && !heard.some(told); i++) await Bun.sleep(20);
    expect(heard.some(told)).toBe(true);
  });
});
