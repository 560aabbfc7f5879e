import { assetBytes, type CharacterRecord, claimAssets, type NewAsset, putCharacter } from "@cartoon/db";
import { ApiError } from "../errors/table.ts";
import type { Services } from "../services.ts";
import { assetOf, fetchFile, fieldError, lookAtLora, lookAtVoice } from "./files.ts";
import type { IncomingFile } from "./incoming-file.ts";
import type { CharacterFields } from "./schema.ts";

export interface CharacterFiles {
  lora?: IncomingFile;
  voice?: IncomingFile;
}

/**
 * Registers a character, or replaces the one of that name as a whole. Its files are looked at, stored under their
 * content's hash, and only then is it there.
 * @throws ApiError, VerbError
 */
export async function registerCharacter(
  services: Services,
  tenant: string,
  fields: CharacterFields,
  uploads: CharacterFiles,
): Promise<{ character: CharacterRecord; created: boolean }> {
  checkName(services, fields.name);
  checkSources(fields, uploads);
  const files: CharacterFiles = { ...uploads };
  try {
    if (fields.lora_url !== undefined)
      files.lora = await fetchFile(services, "lora", fields.lora_url, "lora_url");
    if (fields.voice_url !== undefined)
      files.voice = await fetchFile(services, "voice", fields.voice_url, "voice_url");
    return await keep(services, tenant, fields, files);
  } finally {
    for (const file of [files.lora, files.voice])
      if (file && !Object.values(uploads).includes(file)) await file.discard();
  }
}

/** Names of the packs' own characters are taken. */
function checkName(services: Services, name: string): void {
  const packs = services.catalog.packs().map((one) => one.manifest);
  const owner = packs.find(({ characters }) => characters.some((one) => one.name === name));
  if (!owner) return;
  const detail = `"${name}" is a character of the pack "${owner.name}"`;
  throw new ApiError("conflict", detail, { errors: [{ detail, pointer: "#/name" }] });
}

function checkSources(fields: CharacterFields, uploads: CharacterFiles): void {
  for (const kind of ["lora", "voice"] as const)
    if (fields[`${kind}_url`] !== undefined && uploads[kind])
      throw fieldError(`${kind}_url`, `a file was sent too; one of them is enough`);
  const hasVoice = fields.voice_url !== undefined || uploads.voice !== undefined;
  const hasLora = fields.lora_url !== undefined || uploads.lora !== undefined;
  if (hasVoice && !fields.transcript?.trim())
    throw fieldError("transcript", "a voice clip needs the words that are said in it");
  if (!hasVoice && fields.transcript !== undefined)
    throw fieldError("transcript", "it belongs to a voice clip, and there is none");
  if (!hasLora && !hasVoice && fields.voice_seed === undefined)
    throw fieldError("lora", "a character needs a LoRA, a voice clip or a voice seed");
}

async function keep(services: Services, tenant: string, fields: CharacterFields, files: CharacterFiles) {
  const { db, store } = services;
  const lora = files.lora && {
    ...fileOf(files.lora),
    ...(await lookAtLora(files.lora, fields.lora_url === undefined ? "lora" : "lora_url")),
  };
  const clip = files.voice && {
    ...fileOf(files.voice),
    ...(await lookAtVoice(files.voice, fields.voice_url === undefined ? "voice" : "voice_url")),
  };
  const incoming = (["lora", "voice"] as const).flatMap((kind) => {
    const file = files[kind];
    return file ? [{ file, asset: assetOf(tenant, kind, file) }] : [];
  });
  await checkRoom(services, tenant, incoming);
  await claimAssets(
    db,
    tenant,
    incoming.map(({ asset }) => asset),
  );
  for (const { file, asset } of incoming) {
    const there = await store.head(asset.storageKey);
    if (there?.bytes !== asset.bytes)
      await store.putFile(asset.storageKey, file.path, "application/octet-stream");
  }
  const { name, label = name, triggers = [name], speaker = "S1", weight = 1, suggestions = [] } = fields;
  const voice = {
    clip: clip ?? null,
    transcript: fields.transcript?.trim() ?? "",
    seed: fields.voice_seed ?? null,
  };
  return putCharacter(db, tenant, {
    name,
    data: { label, triggers, speaker, weight, suggestions, lora: lora ?? null, voice },
    loraSha256: files.lora?.sha256 ?? null,
    voiceSha256: files.voice?.sha256 ?? null,
  });
}

/** @throws ApiError `quota_exceeded` when the tenant's files would take too much */
async function checkRoom(
  { db, config }: Services,
  tenant: string,
  incoming: readonly { asset: NewAsset }[],
): Promise<void> {
  const hashes = incoming.map(({ asset }) => asset.sha256);
  const fresh = incoming.reduce((sum, { asset }) => sum + asset.bytes, 0);
  if (fresh === 0 || (await assetBytes(db, tenant, hashes)) + fresh <= config.tenantFileBytes) return;
  throw new ApiError(
    "quota_exceeded",
    `the files of your characters would take more than ${config.tenantFileBytes} bytes; those of removed ones count until they are deleted`,
  );
}

const fileOf = ({ sha256, bytes }: IncomingFile) => ({ sha256, bytes });
