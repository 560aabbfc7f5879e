import { StartImage } from "@cartoon/protos";
import type { Principal } from "../../auth/principal.ts";
import { validationError } from "../../errors/from-zod.ts";
import { ApiError } from "../../errors/table.ts";
import type { Services } from "../../services.ts";
import { keepUpload, uploadUrlForNode } from "../shared/uploads.ts";
import { VideoRequest } from "./request.ts";

const FIELD = "input_reference";
const invalid = (detail: string) =>
  new ApiError("validation_failed", `${FIELD}: ${detail}`, { errors: [{ detail, pointer: `#/${FIELD}` }] });

/** The picture that a video starts from: a file, or its URL. */
export type Reference = File | string;

/** Reads JSON or a form, in which the clients write `input_reference` as a file or as `input_reference[image_url]`. */
export async function videoRequest(
  request: Request,
): Promise<{ video: VideoRequest; reference?: Reference }> {
  const type = request.headers.get("content-type") ?? "";
  const isForm = /^(multipart\/form-data|application\/x-www-form-urlencoded)/.test(type);
  let body: unknown;
  try {
    body = isForm ? Object.fromEntries(await request.formData()) : await request.json();
  } catch {
    throw new ApiError("invalid_json", "the body is neither JSON nor a form");
  }
  const parsed = VideoRequest.safeParse(body);
  if (!parsed.success) throw validationError(parsed.error.issues);
  return { video: parsed.data, reference: referenceOf(body as Record<string, unknown>) };
}

function referenceOf(body: Record<string, unknown>): Reference | undefined {
  const given = body[FIELD] ?? body[`${FIELD}[image_url]`];
  if (body[`${FIELD}[file_id]`] !== undefined)
    throw invalid("files are not kept here; give a file or an image_url");
  if (given === undefined || given === null || given instanceof File || typeof given === "string")
    return given ?? undefined;
  const { image_url } = given as { image_url?: unknown };
  if (typeof image_url === "string") return image_url;
  throw invalid("a file or an image_url is needed");
}

/** @throws ApiError for what is no picture */
export async function startImageOf(
  services: Services,
  principal: Principal,
  reference: Reference | undefined,
): Promise<StartImage | undefined> {
  if (reference === undefined) return undefined;
  const url =
    typeof reference === "string"
      ? reference
      : await uploadUrlForNode(services, principal, await keepUpload(services, principal, reference, FIELD));
  const start = StartImage.safeParse({ url });
  if (start.success) return start.data;
  throw invalid(start.error.issues[0]?.message ?? "a picture is needed");
}
