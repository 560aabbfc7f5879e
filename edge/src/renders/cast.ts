import { ownedAssets } from "@cartoon/db";
import type { RegisteredCharacter } from "@cartoon/protos";
import { toRegistered } from "../characters/catalog.ts";
import { ApiError } from "../errors/table.ts";
import type { Services } from "../services.ts";
import { checkWebhookUrl, type RenderRequest } from "./request.ts";

/**
 * The registered characters that a request may use: the tenant's own as they are now, and in their place those that
 * the request itself describes, as the spec of an earlier render does.
 * @throws ApiError `validation_failed` for files that are not the tenant's, or no longer there
 */
export async function castOf(
  services: Services,
  tenant: string,
  request: RenderRequest,
): Promise<RegisteredCharacter[]> {
  await checkUrls(services, request);
  const views = await services.characters.of(tenant);
  if (views.length === 0 && !request.registered?.length) return [];
  const given = request.registered ?? [];
  await checkFiles(services, tenant, given);
  const names = new Set(given.map(({ name }) => name));
  return [...given, ...views.filter(({ name }) => !names.has(name)).map(toRegistered)];
}

async function checkFiles(
  { db }: Services,
  tenant: string,
  given: readonly RegisteredCharacter[],
): Promise<void> {
  const hashes = given.flatMap((one) => [one.lora_sha256, one.voice_sha256]).filter((hash) => hash !== "");
  if (hashes.length === 0) return;
  const owned = new Set((await ownedAssets(db, tenant, hashes)).map(({ sha256 }) => sha256));
  for (const [index, one] of given.entries())
    for (const field of ["lora_sha256", "voice_sha256"] as const) {
      if (one[field] === "" || owned.has(one[field])) continue;
      const pointer = `#/registered/${index}/${field}`;
      const detail = "there is no such file among those of your characters (any more)";
      throw new ApiError("validation_failed", `${pointer}: ${detail}`, { errors: [{ detail, pointer }] });
    }
}

/** Nodes fetch these; what their guard would refuse in any case is refused here. */
async function checkUrls({ config, store }: Services, request: RenderRequest): Promise<void> {
  const voices = request.speech?.voices ?? [];
  // Uploads of dialects lie in the store, which nodes reach by its own address.
  const own = voices.length > 0 ? new URL(await store.signInternalGet("renders/any", 1)) : undefined;
  const ownPort = own && (own.port || (own.protocol === "https:" ? "443" : "80"));
  const allow = own ? [...config.fetchAllow, `${own.hostname.replace(/^\[|\]$/g, "")}:${ownPort}`] : [];
  for (const [index, { audio_url: url }] of voices.entries())
    checkWebhookUrl(url, allow, `#/speech/voices/${index}/audio_url`);
  const lists = { "#/loras": request.loras, "#/clip/loras": request.clip?.loras };
  for (const [pointer, list] of Object.entries(lists))
    for (const [index, { url }] of (list ?? []).entries())
      checkWebhookUrl(url, config.fetchAllow, `${pointer}/${index}/url`);
}
