import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import initialise, { WasmBuilder } from "@contentauth/c2pa-wasm";
import { ByteBlob, installFileReaderSync } from "./byte-blob.ts";
import { coseSign1, reserveSize } from "./cose.ts";
import { readCredentials, type SigningCredentials } from "./credentials.ts";

const MP4 = "video/mp4";
/** IPTC's name for media that a model has made. */
const MADE_BY_A_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";
/** Label of the assertion that holds the render's own manifest. */
export const RENDER_ASSERTION = "org.cartoon-animation-worker.render";

export interface Claim {
  /** Version of the program that made the clip. */
  version: string;
  title: string;
  /** What the clip was made from; plain JSON. */
  render: unknown;
}

/** Signs clips with the operator's key (C2PA, Content Credentials). */
export class ClipSigner {
  readonly #credentials: SigningCredentials;

  private constructor(credentials: SigningCredentials) {
    this.#credentials = credentials;
  }

  /** @throws Error that names the variable which is wrong */
  static async open(certFile: string, keyFile: string): Promise<ClipSigner> {
    const credentials = await readCredentials(certFile, keyFile);
    installFileReaderSync();
    const wasm = fileURLToPath(import.meta.resolve("@contentauth/c2pa-wasm/c2pa.wasm"));
    await initialise({ module_or_path: await readFile(wasm) });
    return new ClipSigner(credentials);
  }

  /** The MP4 with a signed manifest in it; picture, sound and metadata stay as they are. */
  async sign(mp4: Uint8Array, { version, title, render }: Claim): Promise<Uint8Array> {
    const generator = { name: "cartoon-animation-worker", version };
    const created = {
      action: "c2pa.created",
      digitalSourceType: MADE_BY_A_MODEL,
      softwareAgent: generator,
    };
    const builder = WasmBuilder.fromJson(
      JSON.stringify({
        claim_generator_info: [generator],
        title,
        format: MP4,
        assertions: [
          { label: "c2pa.actions.v2", data: { actions: [created] } },
          { label: RENDER_ASSERTION, data: render },
        ],
      }),
    );
    const size = reserveSize(this.#credentials);
    const signer = {
      alg: this.#credentials.algorithm,
      reserveSize: size,
      sign: async (claim: Uint8Array) => coseSign1(claim, this.#credentials, size),
    };
    try {
      return await builder.sign(signer, [], MP4, new ByteBlob(new Uint8Array(mp4), MP4));
    } finally {
      builder.free();
    }
  }
}
