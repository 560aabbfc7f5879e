import { createPrivateKey, type KeyObject, sign, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";

/** The algorithms of C2PA 2.1, 13.2, by their COSE number (RFC 9053) and by the name that the library knows them by. */
const ALGORITHMS = {
  es256: { cose: -7, hash: "sha256" },
  es384: { cose: -35, hash: "sha384" },
  es512: { cose: -36, hash: "sha512" },
  ps256: { cose: -37, hash: "sha256" },
  ed25519: { cose: -8, hash: null },
} as const;
export type AlgorithmName = keyof typeof ALGORITHMS;

/** What an operator signs with. */
export interface SigningCredentials {
  algorithm: AlgorithmName;
  /** The algorithm's number in COSE. */
  coseAlgorithm: number;
  /** DER, the signer's own first. */
  chain: Uint8Array[];
  /** Raw signature: r and s one after the other for ECDSA. */
  sign(bytes: Uint8Array): Uint8Array;
}

const OF_CURVE: Record<string, AlgorithmName> = {
  prime256v1: "es256",
  secp384r1: "es384",
  secp521r1: "es512",
};
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function algorithmOf(key: KeyObject): AlgorithmName {
  const curve = OF_CURVE[key.asymmetricKeyDetails?.namedCurve ?? ""];
  if (key.asymmetricKeyType === "ec" && curve) return curve;
  if (key.asymmetricKeyType === "ed25519") return "ed25519";
  if (key.asymmetricKeyType === "rsa" || key.asymmetricKeyType === "rsa-pss") return "ps256";
  throw new Error(
    "CARTOON_C2PA_KEY: an EC key on P-256, P-384 or P-521, an Ed25519 key or an RSA key is needed",
  );
}

/**
 * Reads certificate chain and key, both PEM.
 * @throws Error that names the variable: a file that cannot be read, a key of another certificate, a certificate
 *   that is not valid today
 */
export async function readCredentials(certFile: string, keyFile: string): Promise<SigningCredentials> {
  const read = (name: string, file: string) =>
    readFile(file, "utf8").catch((error: Error) => {
      throw new Error(`${name}: ${error.message}`);
    });
  const certificates = (await read("CARTOON_C2PA_CERT", certFile)).match(PEM) ?? [];
  const chain = certificates.map((pem) => new X509Certificate(pem));
  const key = createPrivateKey(await read("CARTOON_C2PA_KEY", keyFile));
  const [own] = chain;
  if (!own) throw new Error(`CARTOON_C2PA_CERT: there is no certificate in ${certFile}`);
  if (!own.checkPrivateKey(key))
    throw new Error("CARTOON_C2PA_KEY: it is not the key of the first certificate");
  const now = Date.now();
  if (now < Date.parse(own.validFrom) || now > Date.parse(own.validTo))
    throw new Error(`CARTOON_C2PA_CERT: valid from ${own.validFrom} to ${own.validTo} only`);
  const algorithm = algorithmOf(key);
  const { cose, hash } = ALGORITHMS[algorithm];
  const options =
    algorithm === "ps256"
      ? { key, padding: 6, saltLength: 32 } // RSA_PKCS1_PSS_PADDING, salt as long as the hash
      : { key, dsaEncoding: "ieee-p1363" as const };
  return {
    algorithm,
    coseAlgorithm: cose,
    // The root is not part of the chain (C2PA 2.1, 14.5): who checks has it already, or does not trust it.
    chain: chain
      .filter((certificate, index) => index === 0 || certificate.subject !== certificate.issuer)
      .map((certificate) => new Uint8Array(certificate.raw)),
    sign: (bytes) => new Uint8Array(sign(hash, bytes, options)),
  };
}
