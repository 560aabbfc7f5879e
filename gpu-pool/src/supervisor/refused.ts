import { status as Code, Metadata, type ServiceError } from "@grpc/grpc-js";

/** A call that is refused as a whole, with its gRPC status. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: Code;
  constructor(code: Code, message: string) {
    super(message);
    this.code = code;
  }
}

/** What a caller is told of an error that ended its call. */
export function serviceError(error: unknown): ServiceError {
  const code = error instanceof Refused ? error.code : Code.INTERNAL;
  const details = error instanceof Error ? error.message : String(error);
  return Object.assign(new Error(details), { code, details, metadata: new Metadata() });
}
