import { buildClipText } from "../../graphs/clip-text.ts";
import { clipTextConfig } from "../../graphs/config/clip.ts";
import { createSession, type Feeds, floatOutput, int64, type Session } from "../../onnx/session.ts";
import { ClipTokenizer } from "../../tokenizers/index.ts";
import { sessionOptions, targetOf } from "./device.ts";
import { modelWeights, readConfig } from "./model-folder.ts";
import type { TextModel } from "./models.ts";
import type { ModelOptions } from "./types.ts";

/** Deepest clip skip that the graphs offer. */
const MAX_CLIP_SKIP = 4;

/** A CLIP text encoder and its tokenizer, from their folders. */
export async function loadTextModel(
  encoderFolder: string,
  tokenizerFolder: string,
  part: "text_encoder" | "text_encoder_2",
  family: "sdxl" | "sd15",
  options: ModelOptions,
): Promise<TextModel & { close(): Promise<void> }> {
  const config = await readConfig(encoderFolder, clipTextConfig);
  const tokenizer = await ClipTokenizer.load(tokenizerFolder, config.max_position_embeddings);
  const weights = await modelWeights(encoderFolder, part, options);
  const layers = config.num_hidden_layers;
  const target = targetOf(options);
  const skips = Array.from({ length: Math.min(MAX_CLIP_SKIP, layers - 1) }, (_, i) => layers - 1 - i);
  const model = buildClipText({
    config,
    weights,
    target,
    lora: true,
    normedHiddenStates: family === "sd15" ? skips : [],
  });
  const open = () => createSession(model, options.cacheDir, sessionOptions(options));
  const kept = options.smallMemory ? undefined : await open();
  const projected = model.outputs.some((output) => output.name === "text_embeds");
  return {
    tokenizer,
    width: config.hidden_size,
    pooledWidth: projected ? (config.projection_dim ?? config.hidden_size) : 0,
    loraTargets: model.loraTargets,
    loraFormat: { dtype: target.dtype, layout: model.loraLayout },
    encode: async (ids, clipSkip, lora) => {
      const output = hiddenOutput(family, layers, clipSkip);
      if (kept) return encode(kept, ids, output, projected, lora);
      const session = await open();
      try {
        return await encode(session, ids, output, projected, lora);
      } finally {
        await session.release();
      }
    },
    close: async () => kept?.release(),
  };
}

/**
 * SDXL reads the last layer but one without the final norm (`hidden_states[-(skip+2)]`); SD 1.5 the last layer, or
 * with clip skip `hidden_states[-(skip+1)]`, with the final norm.
 */
function hiddenOutput(family: "sdxl" | "sd15", layers: number, clipSkip: number): string {
  const index = layers - clipSkip - (family === "sdxl" ? 1 : 0);
  if (index < 1) throw new Error(`clip_skip: ${clipSkip} is too deep for a text encoder of ${layers} layers`);
  if (family === "sdxl") return `hidden_states.${index}`;
  return clipSkip === 0 ? "last_hidden_state" : `normed_hidden_states.${index}`;
}

async function encode(
  session: Session,
  ids: readonly (readonly number[])[],
  output: string,
  projected: boolean,
  lora: Feeds,
): Promise<{ hidden: Float32Array; pooled: Float32Array }> {
  const input = int64(ids.flat(), [ids.length, ids[0]?.length ?? 0]);
  const outputs = await session.run({ input_ids: input, ...lora });
  return {
    hidden: floatOutput(outputs, output),
    pooled: projected ? floatOutput(outputs, "text_embeds") : new Float32Array(0),
  };
}
