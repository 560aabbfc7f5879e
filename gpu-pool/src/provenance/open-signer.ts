import type { NodeEnv } from "../env.ts";
import type { ClipSigner } from "./sign-mp4.ts";

/** The operator's signer, or undefined where no key is configured; then the library is not even loaded. */
export async function openSigner(env: NodeEnv): Promise<ClipSigner | undefined> {
  const { CARTOON_C2PA_CERT: cert, CARTOON_C2PA_KEY: key } = env;
  if (!cert || !key) return undefined;
  const { ClipSigner } = await import("./sign-mp4.ts");
  return ClipSigner.open(cert, key);
}
