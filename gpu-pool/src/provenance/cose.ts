import { encode } from "cborg";
import type { SigningCredentials } from "./credentials.ts";

// RFC 9052 and RFC 9360: header labels and the tag of COSE_Sign1.
const ALGORITHM = 1;
const X5CHAIN = 33;
const COSE_SIGN1_TAG = 0xd2;
/** CBOR writes the length of a byte string of 256 to 65,535 bytes in three bytes. */
const LONG_ENOUGH = 256;

/** Room for certificates, signature and headers. */
export const reserveSize = ({ chain }: SigningCredentials): number =>
  chain.reduce((sum, certificate) => sum + certificate.length, 0) + 2_048;

/**
 * COSE_Sign1 over a claim with a detached payload, filled up to `size` bytes as C2PA wants it (2.1, 13.2 and 14.2).
 * @throws Error when the signature has more than `size` bytes
 */
export function coseSign1(
  claim: Uint8Array,
  credentials: SigningCredentials,
  size: number,
): Uint8Array<ArrayBuffer> {
  const { chain, coseAlgorithm } = credentials;
  const protectedHeader = encode(
    new Map<number, unknown>([
      [ALGORITHM, coseAlgorithm],
      [X5CHAIN, chain.length === 1 ? chain[0] : chain],
    ]),
  );
  const signature = credentials.sign(encode(["Signature1", protectedHeader, new Uint8Array(), claim]));
  const message = (padding: number) =>
    encode([protectedHeader, new Map([["pad", new Uint8Array(padding)]]), null, signature]);
  const padding = size - 1 - (message(LONG_ENOUGH).length - LONG_ENOUGH);
  if (padding < LONG_ENOUGH || padding > 65_535)
    throw new Error(`the signature does not fit into ${size} bytes`);
  return new Uint8Array([COSE_SIGN1_TAG, ...message(padding)]);
}
