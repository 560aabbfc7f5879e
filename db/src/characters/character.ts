import type { EventData } from "../schema/values.ts";

/** A character that a tenant has added to those of the packs. */
export interface CharacterRecord {
  tenant: string;
  name: string;
  /** What is shown of it, in the words of the API. */
  data: EventData;
  /** Its LoRA among the tenant's assets. */
  loraSha256: string | null;
  /** Its reference clip among the tenant's assets. */
  voiceSha256: string | null;
  createdAt: number;
  updatedAt: number;
}
