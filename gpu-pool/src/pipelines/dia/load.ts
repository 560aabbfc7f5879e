import { join } from "node:path";
import type { SpeechSpec } from "@cartoon/protos/render-spec";
import { GenerationQueue } from "./generation-queue.ts";
import { loadDacModel, loadDiaModel } from "./model.ts";
import { SeedVoices } from "./seed-voices.ts";
import { voiceSettings } from "./settings.ts";
import { BATCH, modelText, type SpeakerSetup, speak } from "./speak.ts";
import type { DiaVoice, LoadDiaOptions, SpeakOptions, VoicePack } from "./types.ts";
import { ClipCodes, encodePackReference, packReferences, type VoicePromptCodes } from "./voice-prompts.ts";

/**
 * Loads the voice of a pack: Dia, DAC and the reference clips of its characters.
 * @throws when the pack has no voice, a file is missing or a clip cannot be used
 */
export async function loadDia(pack: VoicePack, options: LoadDiaOptions): Promise<DiaVoice> {
  const started = performance.now();
  const { manifest, dir } = pack;
  const folder = (name: string) => {
    const component = manifest.components[name];
    if (component === undefined) throw new Error(`pack.json: components.${name} is missing`);
    return join(dir, component);
  };
  const cacheDir = options.cacheDir ?? join(dir, ".cartoon");
  const { alignment_head: alignmentHead } = manifest.voice ?? {};
  const shared = { cacheDir, device: options.device, threads: options.threads };
  const dia = await loadDiaModel(folder("dia"), { ...shared, alignmentHead });
  const dac = await loadDacModel(folder("dac"), shared);
  if (dia.config.decoder.num_channels !== dac.config.codebooks) {
    throw new Error(
      `Dia speaks ${dia.config.decoder.num_channels} channels, DAC reads ${dac.config.codebooks}`,
    );
  }
  if (dac.config.codebookSize > dia.config.tokens.eos) {
    throw new Error(`DAC has ${dac.config.codebookSize} codes, Dia speaks ${dia.config.tokens.eos}`);
  }
  const settings = voiceSettings(pack, dia, dac);
  const packPrompts = new Map<string, VoicePromptCodes>();
  for (const reference of await packReferences(pack)) {
    const encoded = await encodePackReference(dac, reference);
    const transcript = modelText(settings, encoded.transcript);
    packPrompts.set(reference.character, { ...encoded, transcript });
  }
  const queue = new GenerationQueue(dia, BATCH[options.device]);
  const parts = { pack, dia, queue, dac, settings, packPrompts, clips: new ClipCodes(dac) };
  const setup: SpeakerSetup = { ...parts, seedVoices: new SeedVoices(parts) };
  return {
    sampleRate: settings.sampleRate,
    loadSeconds: (performance.now() - started) / 1000,
    speak: (speech: SpeechSpec, speakOptions?: SpeakOptions) => speak(setup, speech, speakOptions),
    release: async () => {
      await dia.release();
      await dac.release();
    },
  };
}
