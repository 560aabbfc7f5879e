import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAuthority, issueCertificate, issueSigningCertificate } from "./authority.ts";

export interface CertsOptions {
  folder: string;
  /** Host names and IP addresses of the nodes, beside the name `cartoon-node` that the edge asks for. */
  hosts: string[];
  days: number;
}

/**
 * Writes a certificate authority and one certificate each for the nodes and the edge.
 * @returns the paths written
 * @throws Error when the folder already holds an authority: overwriting it would lock every process out
 */
export async function initCertificates(options: CertsOptions): Promise<string[]> {
  const authorityFile = join(options.folder, "ca.crt");
  if (existsSync(authorityFile))
    throw new Error(`${authorityFile} is already there; choose another --folder or remove it first`);
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const authority = await createAuthority("Cartoon Animation Worker", options.days);
  const names = ["cartoon-node", "localhost", "127.0.0.1", ...options.hosts];
  const node = await issueCertificate(authority, "cartoon-node", names, options.days);
  const edge = await issueCertificate(authority, "cartoon-edge", ["cartoon-edge"], options.days);
  const files: [string, string, number][] = [
    ["ca.crt", authority.certificate, 0o644],
    ["ca.key", authority.privateKey, 0o600],
    ["node.crt", node.certificate, 0o644],
    ["node.key", node.privateKey, 0o600],
    ["edge.crt", edge.certificate, 0o644],
    ["edge.key", edge.privateKey, 0o600],
  ];
  return Promise.all(
    files.map(async ([name, text, mode]) => {
      const path = join(options.folder, name);
      await writeFile(path, `${text}\n`, { mode });
      return path;
    }),
  );
}

/**
 * Writes an authority and a certificate to sign clips with, for trials and closed circles. Readers elsewhere trust
 * certificates of the authorities on the C2PA trust list.
 * @param name the operator's, as readers will show it
 * @returns the paths written
 */
export async function signingCertificates(folder: string, name: string, days: number): Promise<string[]> {
  const authority = await createAuthority(`${name} root`, days);
  const { certificate, privateKey } = await issueSigningCertificate(authority, name, days);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const files: [string, string, number][] = [
    ["c2pa-ca.crt", authority.certificate, 0o644],
    ["c2pa.crt", certificate, 0o644],
    ["c2pa.key", privateKey, 0o600],
  ];
  return Promise.all(
    files.map(async ([file, text, mode]) => {
      const path = join(folder, file);
      // "wx": a key that clips were signed with is never overwritten.
      await writeFile(path, `${text}\n`, { mode, flag: "wx" });
      return path;
    }),
  );
}
