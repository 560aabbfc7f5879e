import type { CharacterManifest, ClipSpec } from "@cartoon/protos";
import { asManifest, fetchCast, type LoraFile, strangers } from "../assets/cast.ts";
import type { ClipCast } from "../pipelines/animatediff/cast.ts";
import type { DrawnClip, RunnerJob } from "../runner/messages.ts";
import type { AttemptInput } from "./attempt.ts";
import { decodeVoices, fetchVoices, storeHosts } from "./inputs.ts";
import type { Plan } from "./plan.ts";

/** What a render has beside its pack: characters, LoRAs, voices, with their files in the render's folder. */
export interface PreparedCast {
  loras: readonly LoraFile[];
  characters: readonly CharacterManifest[];
  references: RunnerJob["references"];
  /** A clip as the runner takes it. @param lenient LoRAs that don't fit the models are left out */
  clip(clip: ClipSpec, lenient?: boolean): DrawnClip;
}

/**
 * Fetches the files of a render. Voice clips that the request brings along win over those that its characters are
 * registered with.
 * @throws AssetError, SpecError naming the field
 */
export async function prepareCast(
  { spec, pack, request, signal, node }: AttemptInput,
  plan: Plan,
  folder: string,
): Promise<PreparedCast> {
  const allowHosts = storeHosts(request);
  const files = await fetchCast(node.assets, {
    ...{ spec, pack: pack.manifest, request, folder, allowHosts, signal },
  });
  const { loras, convolutions } = files;
  const characters = strangers(pack.manifest, spec).map(asManifest);
  const cast: ClipCast = { characters, loras, convolutions };
  const needed = characters.length > 0 || loras.length > 0;
  const options = { folder, ffmpeg: node.ffmpeg, allowHosts: node.assets.allowHosts, signal };
  const given = plan.speech ? await fetchVoices(plan.speech, options) : [];
  const named = new Set(given.map(({ character }) => character));
  const own = files.voices.filter(({ character }) => !named.has(character));
  return {
    loras,
    characters,
    references: [...(await decodeVoices(own, options)), ...given],
    clip: (clip, lenient = false) => (needed ? { ...clip, cast: { ...cast, lenient } } : clip),
  };
}
