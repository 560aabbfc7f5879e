import { isSignature, sign } from "../auth/signature.ts";

const PREFIX = "nt_";
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

const signedText = (payload: string) => `node.${payload}`;

/**
 * A token with which one node may register itself.
 * @param expiresAt unix seconds
 */
export function createNodeToken(secret: string, name: string, expiresAt: number): string {
  if (!NAME.test(name)) throw new Error("a node's name has 1 to 128 letters, digits, dots, - and _");
  const payload = Buffer.from(JSON.stringify({ name, exp: expiresAt })).toString("base64url");
  return `${PREFIX}${payload}.${sign(secret, signedText(payload))}`;
}

/** The node's name that a token stands for, or undefined when it is not ours or its time is over. */
export function verifyNodeToken(secret: string, token: string, nowMs: number): string | undefined {
  const [, payload = "", signature = ""] = /^nt_([\w-]{1,512})\.([\w-]{1,64})$/.exec(token) ?? [];
  if (!isSignature(signature, secret, signedText(payload))) return undefined;
  const { name, exp } = JSON.parse(Buffer.from(payload, "base64url").toString()) as {
    name: string;
    exp: number;
  };
  return exp * 1000 > nowMs ? name : undefined;
}
