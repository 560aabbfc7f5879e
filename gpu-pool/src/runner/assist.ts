import type { ClipAssistant } from "../pipelines/animatediff/index.ts";
import { takeFloats, writeFloats } from "./arrays.ts";
import { speakerFocus } from "./focus.ts";
import type { PassAnswer, PassRequest, Sharing } from "./messages.ts";
import type { Models } from "./models.ts";

/** Gets ready to take passes of a clip that another runner of the node draws. */
export async function openAssistant(models: Models, sharing: Sharing): Promise<ClipAssistant> {
  const { pack, clip, lines, mode } = sharing;
  const { pipeline } = await models.picture(pack, { mode, clip });
  return pipeline.assist(clip, { focus: lines && speakerFocus(clip, { lines }) });
}

/** Does one pass. Never throws: what goes wrong is the answer, and the asking runner does the pass itself. */
export async function answerPass(assistant: ClipAssistant, request: PassRequest): Promise<PassAnswer> {
  const { id, file, ...pass } = request;
  try {
    const prediction = await assistant.predict({ ...pass, sample: takeFloats(file) });
    const answer = file.replace("pass-", "passed-");
    writeFloats(answer, prediction);
    return { id, file: answer };
  } catch (error) {
    return { id, problem: error instanceof Error ? error.message : String(error) };
  }
}
