import { resolve } from "node:path";
import { defineCommand } from "citty";
import { initCertificates, signingCertificates } from "../../certs/init.ts";
import { EXIT, UsageError } from "../exit.ts";

const init = defineCommand({
  meta: {
    name: "init",
    description: "Certificates for mTLS between edge and nodes: cartoon certs init --hosts node-1,10.0.0.5",
  },
  args: {
    folder: { type: "string", description: "Folder to write to", default: "certs" },
    hosts: {
      type: "string",
      description: "Names and addresses of the nodes, separated by commas",
      default: "",
    },
    days: { type: "string", description: "Days that they are valid", default: "825" },
  },
  async run({ args }) {
    const hosts = args.hosts.split(",").filter(Boolean);
    const files = await initCertificates({ folder: resolve(args.folder), hosts, days: Number(args.days) });
    for (const file of files) console.log(file);
    return EXIT.ok;
  },
});

const c2pa = defineCommand({
  meta: {
    name: "c2pa",
    description: 'A key of your own to sign clips with (C2PA): cartoon certs c2pa --name "My Studio"',
  },
  args: {
    name: { type: "string", description: "Your name, as readers will show it", required: true },
    folder: { type: "string", description: "Folder to write to", default: "certs" },
    days: { type: "string", description: "Days that it is valid", default: "825" },
  },
  async run({ args }) {
    if (!/^[\p{L}\p{N} ._-]{1,60}$/u.test(args.name))
      throw new UsageError("--name takes letters, digits, spaces and . _ - only");
    const files = await signingCertificates(resolve(args.folder), args.name, Number(args.days));
    for (const file of files) console.log(file);
    const [, certificate, key] = files;
    console.log(`a node signs with  CARTOON_C2PA_CERT=${certificate} CARTOON_C2PA_KEY=${key}`);
    return EXIT.ok;
  },
});

export const certs = defineCommand({
  meta: { name: "certs", description: "Certificates: cartoon certs init|c2pa" },
  subCommands: { init, c2pa },
});
