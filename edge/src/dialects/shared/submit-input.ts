import type { Enqueued } from "@cartoon/db";
import type { SpeechSpec, StartImage } from "@cartoon/protos";
import type { Principal } from "../../auth/principal.ts";
import { packOf } from "../../characters/pack-of.ts";
import type { RenderRequest } from "../../renders/request.ts";
import { type SubmitOptions, submitRender } from "../../renders/submit.ts";
import type { Services } from "../../services.ts";
import { taskOf } from "./task.ts";
import { type Contract, V6 } from "./v5-input/contract.ts";
import { parseV5 } from "./v5-input/parse.ts";

export interface InputOptions extends SubmitOptions {
  contract?: Contract;
  /** What the envelope around the input asks for: priority, time-outs, webhook. */
  envelope?: Partial<RenderRequest>;
  /** Reference clips for voices, beside what v5's fields can say. */
  voices?: SpeechSpec["voices"];
  /** The picture that the clip starts from. */
  startImage?: StartImage;
}

/** Submits a job whose input has v5's field names, as RunPod, Cog, fal and Gradio requests do. */
export async function submitInput(
  services: Services,
  principal: Principal,
  input: unknown,
  options: InputOptions,
): Promise<Enqueued> {
  const { contract = V6, envelope, voices, startImage, ...rest } = options;
  const task = taskOf(input);
  const { request, warnings } = parseV5(input, task, contract, await packOf(services, principal.tenant));
  const extras = { ...rest.extras, task, input };
  return submitRender(
    services,
    principal,
    {
      ...request,
      ...(voices ? { speech: { ...request.speech, voices } } : {}),
      ...(startImage ? { clip: { ...request.clip, start_image: startImage } } : {}),
      ...envelope,
    },
    { ...rest, extras, warnings: [...(rest.warnings ?? []), ...warnings] },
  );
}
