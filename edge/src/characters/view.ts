import type { CharacterRecord } from "@cartoon/db";
import { CharacterView } from "./schema.ts";

const iso = (ms: number) => new Date(ms).toISOString();

/** A registered character as the API shows it. */
export function toCharacterView({ name, data, createdAt, updatedAt }: CharacterRecord): CharacterView {
  return CharacterView.parse({
    ...data,
    name,
    pair_weight: Number(data.weight) / 2,
    registered: true,
    created_at: iso(createdAt),
    updated_at: iso(updatedAt),
  });
}
