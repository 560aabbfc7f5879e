import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import type { HonoRequest } from "hono";
import { ApiError } from "../errors/table.ts";
import type { Services } from "../services.ts";
import { type FileKind, fieldError, incomingFolder, maxBytesOf } from "./files.ts";
import { IncomingFile } from "./incoming-file.ts";
import type { CharacterFiles } from "./register.ts";

const MAX_FIELDS = 32;
const MAX_FIELD_BYTES = 64 * 1024;
/** For the whole form, and between two pieces of it. */
const TOTAL_MS = 10 * 60_000;
const IDLE_MS = 30_000;

export const isForm = (contentType: string | undefined) =>
  /^multipart\/form-data\s*(;|$)/i.test(contentType ?? "");

/** Forms that bring files, under the API and under the page. */
export const isCharacterUpload = (request: HonoRequest) =>
  request.method === "POST" &&
  /^\/(v1\/)?characters$/.test(request.path) &&
  isForm(request.header("content-type"));

export interface UploadedForm {
  fields: Map<string, string[]>;
  files: CharacterFiles;
  /** Deletes what is left of the files. */
  discard: () => Promise<void>;
}

/** Called before the first file is taken in, with the fields that came before it, and once all is read. */
export type Authorize = (fields: ReadonlyMap<string, readonly string[]>) => Promise<void>;

/**
 * Reads a multipart form whose files may be large: they go to disk as they come, never more than allowed.
 * @throws ApiError
 */
export async function readUpload(
  services: Services,
  request: Request,
  authorize: Authorize = async () => {},
): Promise<UploadedForm> {
  const type = request.headers.get("content-type") ?? "";
  if (request.headers.has("content-encoding"))
    throw new ApiError("unsupported_media_type", "send the body plain, without content-encoding");
  const fields: UploadedForm["fields"] = new Map();
  const files: CharacterFiles = {};
  const discard = async () => {
    await Promise.all([files.lora?.discard(), files.voice?.discard()]);
  };
  try {
    await parse(services, request, { type, fields, files, authorize });
    await authorize(fields);
    return { fields, files, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

async function parse(
  services: Services,
  request: Request,
  form: Pick<UploadedForm, "fields" | "files"> & { type: string; authorize: Authorize },
): Promise<void> {
  const { type, fields, files } = form;
  if (!request.body) throw new ApiError("invalid_request", "the form is empty");
  const parser = parserFor(type);
  const writes: Promise<void>[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  parser.on("field", (name, value, nameCut, valueCut) => {
    if (nameCut || valueCut) reject(fieldError(name.slice(0, 64), `longer than ${MAX_FIELD_BYTES} bytes`));
    fields.set(name, [...(fields.get(name) ?? []), value]);
  });
  parser.on("file", (name: string, stream: BusboyFileStream, filename: string) => {
    const write = form
      .authorize(fields)
      .then(() => receive(services, name, stream, filename, files))
      .catch((error: unknown) => {
        stream.resume();
        throw error;
      });
    write.catch(reject);
    writes.push(write);
  });
  for (const limit of ["partsLimit", "filesLimit", "fieldsLimit"] as const)
    parser.on(limit, () => reject(new ApiError("invalid_request", "the form has too many parts")));
  parser.on("error", (error) =>
    reject(new ApiError("invalid_request", `the form can't be read: ${String(error)}`)),
  );
  parser.on("finish", () => Promise.all(writes).then(() => resolve(), reject));
  const source = Readable.fromWeb(request.body as unknown as NodeReadableStream);
  const unwatch = watch(source, reject);
  source.on("error", () => reject(new ApiError("invalid_request", "the form broke off")));
  source.pipe(parser);
  try {
    await promise;
  } finally {
    unwatch();
    source.unpipe(parser);
    source.destroy();
    await Promise.allSettled(writes);
  }
}

function parserFor(type: string): BusboyInstance {
  try {
    return new Busboy({
      headers: { "content-type": type },
      limits: {
        fields: MAX_FIELDS,
        fieldSize: MAX_FIELD_BYTES,
        files: 2,
        parts: MAX_FIELDS + 2,
        fieldNameSize: 64,
      },
    });
  } catch (cause) {
    throw new ApiError("invalid_request", "the form has no boundary", { cause });
  }
}

async function receive(
  services: Services,
  name: string,
  stream: BusboyFileStream,
  filename: string,
  files: CharacterFiles,
): Promise<void> {
  if (name !== "lora" && name !== "voice") {
    stream.resume();
    throw fieldError(name.slice(0, 64), "no file goes here; files are lora and voice");
  }
  const kind: FileKind = name;
  const file = await IncomingFile.create(incomingFolder(services), kind, maxBytesOf(kind, services));
  try {
    if (files[kind]) throw fieldError(kind, "given twice");
    for await (const chunk of stream as AsyncIterable<Uint8Array>) await file.write(chunk);
  } catch (error) {
    stream.resume();
    await file.discard();
    throw error;
  }
  file.finish();
  // A browser sends an empty file for a field that was left empty.
  if (file.bytes === 0 && (filename ?? "") === "") await file.discard();
  else files[kind] = file;
}

/** Gives up on a form that takes too long. */
function watch(source: Readable, reject: (error: Error) => void): () => void {
  const late = () => reject(new ApiError("request_timeout", "the form took too long to arrive"));
  const total = setTimeout(late, TOTAL_MS);
  let idle = setTimeout(late, IDLE_MS);
  source.on("data", () => {
    clearTimeout(idle);
    idle = setTimeout(late, IDLE_MS);
  });
  return () => {
    clearTimeout(total);
    clearTimeout(idle);
  };
}
