import { type Database, listCharacters } from "@cartoon/db";
import type { PackManifest, RegisteredCharacter } from "@cartoon/protos";
import type { CharacterView } from "./schema.ts";
import { toCharacterView } from "./view.ts";

/** The safety net for a lost notification. */
const KEEP_MS = 2_000;
const MAX_TENANTS = 10_000;

/** The registered characters of each tenant, read once and then kept until one of them changes. */
export class CharacterCatalog {
  readonly #db: Database;
  readonly #known = new Map<string, { until: number; list: Promise<readonly CharacterView[]> }>();
  readonly #unsubscribe: () => void;

  constructor(db: Database) {
    this.#db = db;
    this.#unsubscribe = db.subscribe((wake) => {
      if (wake.type === "characters") this.#known.delete(wake.tenant);
      // On SQLite it means that another process has written; Postgres tells of the very change.
      else if (wake.type === "poll" && db.dialect === "sqlite") this.#known.clear();
    });
  }

  /** By name; the same list for as long as it is true. */
  of(tenant: string): Promise<readonly CharacterView[]> {
    const now = Date.now();
    const known = this.#known.get(tenant);
    if (known && known.until > now) return known.list;
    if (this.#known.size >= MAX_TENANTS) this.#known.clear();
    const list = listCharacters(this.#db, tenant).then((records) => records.map(toCharacterView));
    list.catch(() => this.#known.delete(tenant));
    this.#known.set(tenant, { until: now + KEEP_MS, list });
    return list;
  }

  close(): void {
    this.#unsubscribe();
    this.#known.clear();
  }
}

/** What a render keeps of a character. */
export const toRegistered = ({ lora, voice, ...view }: CharacterView): RegisteredCharacter => ({
  name: view.name,
  label: view.label,
  triggers: view.triggers,
  speaker: view.speaker,
  lora_sha256: lora?.sha256 ?? "",
  voice_sha256: voice.clip?.sha256 ?? "",
  transcript: voice.transcript,
  ...(voice.seed === null ? {} : { voice_seed: voice.seed }),
  weight: view.weight,
});

/** A pack with registered characters after its own; names of its own win. */
export function withCharacters(pack: PackManifest, registered: readonly CharacterView[]): PackManifest {
  if (registered.length === 0) return pack;
  const own = new Set(pack.characters.map(({ name }) => name));
  const more = registered
    .filter(({ name }) => !own.has(name))
    .map(({ name, label, triggers, speaker, weight, pair_weight, suggestions }) => ({
      ...{ name, label, triggers, speaker, weight, pair_weight, suggestions },
      voice: {},
    }));
  return { ...pack, characters: [...pack.characters, ...more] };
}
