import { resolve } from "node:path";
import { defineCommand } from "citty";
import { initCertificates } from "../../certs/init.ts";
import { EXIT } from "../exit.ts";

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

export const certs = defineCommand({
  meta: { name: "certs", description: "Certificates: cartoon certs init" },
  subCommands: { init },
});
