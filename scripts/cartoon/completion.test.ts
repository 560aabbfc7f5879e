import { expect, test } from "bun:test";
import { join } from "node:path";
import { type CommandDef, defineCommand } from "citty";
import { commandTree, SHELLS } from "./completion.ts";

const create = defineCommand({
  meta: { description: "Make a key; it's shown once: cartoon keys create" },
  args: { tenant: { type: "string" }, out: { type: "string", alias: "o" } },
  run: () => 0,
});
const main: CommandDef = defineCommand({
  subCommands: {
    keys: defineCommand({
      meta: { description: "API keys" },
      subCommands: { create, list: defineCommand({}) },
    }),
    web: defineCommand({ args: { node: { type: "boolean", default: true } } }),
  },
});
const nodes = await commandTree(main);

/** What a shell says, or undefined where it is not installed. */
function shell(name: string, ...args: string[]): string | undefined {
  if (!Bun.which(name)) {
    console.log(`${name} is not installed: its completion is not driven`);
    return undefined;
  }
  const { stdout, stderr } = Bun.spawnSync([name, ...args], { stdin: "ignore" });
  return stdout.toString() + stderr.toString();
}

test("every command is listed with its flags", () => {
  expect(nodes.map(({ path }) => path)).toEqual(["", "keys", "keys create", "keys list", "web"]);
  expect(nodes[0]?.children[0]).toEqual({ name: "keys", description: "API keys" });
  expect(nodes[1]?.children[0]?.description).toBe("Make a key; its shown once");
  expect(nodes[2]?.flags).toEqual(["--tenant", "--out", "-o", "--help"]);
  expect(nodes[4]?.flags).toEqual(["--node", "--no-node", "--help"]);
});

test("bash offers commands, then flags", () => {
  const ask = (...words: string[]) =>
    `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _cartoon; echo "\${COMPREPLY[@]}"`;
  const script = [
    SHELLS.bash("cartoon", nodes),
    ask("cartoon", ""),
    ask("cartoon", "keys", "cr"),
    ask("cartoon", "keys", "create", "--t"),
  ];
  const said = shell("bash", "-c", script.join("\n"));
  if (said !== undefined) expect(said).toBe("keys web --help\ncreate\n--tenant\n");
});

test("zsh takes the script for its own", () => {
  const script = `autoload -Uz compinit && compinit -u -D; ${SHELLS.zsh("cartoon", nodes)}; echo $_comps[cartoon]; whence -w _cartoon`;
  const said = shell("zsh", "-f", "-c", script);
  if (said !== undefined) expect(said).toBe("_cartoon\n_cartoon: function\n");
});

test("zsh offers commands with their description, then flags", () => {
  // What zsh's own helpers would be given.
  const helpers =
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is zsh's own
    '_describe() { print -l -- "${(@P)2}" }; compadd() { shift; print -l -- "$@" }; _files() { print files }; compdef() { }';
  const ask = (prefix: string, ...words: string[]) =>
    `words=(${words.map((word) => `'${word}'`).join(" ")}) CURRENT=${words.length} PREFIX='${prefix}'; _cartoon; print --`;
  const script = [
    helpers,
    SHELLS.zsh("cartoon", nodes),
    ask("", "cartoon", ""),
    ask("--", "cartoon", "keys", "create", "--"),
  ];
  const said = shell("zsh", "-f", "-c", script.join("\n"));
  if (said !== undefined) expect(said).toBe("keys:API keys\nweb:\n\n--tenant\n--out\n-o\n--help\nfiles\n\n");
});

test("fish offers commands with their description, then flags", () => {
  const script = `${SHELLS.fish("cartoon", nodes)}\ncomplete -C 'cartoon keys cr'\ncomplete -C 'cartoon keys create --t'`;
  const said = shell("fish", "-c", script);
  if (said !== undefined) expect(said).toBe("create\tMake a key; its shown once\n--tenant\n");
});

test("the launcher prints them", () => {
  const program = join(import.meta.dir, "main.ts");
  for (const name of Object.keys(SHELLS)) {
    const { stdout, exitCode } = Bun.spawnSync([process.execPath, program, "completion", name]);
    expect(exitCode).toBe(0);
    expect(stdout.toString()).toContain("runpod simulate");
  }
  const { stderr, exitCode } = Bun.spawnSync([process.execPath, program, "completion", "tcsh"]);
  expect({ exitCode, stderr: stderr.toString() }).toEqual({
    exitCode: 2,
    stderr: 'cartoon: no completion for "tcsh"; there is bash, zsh, fish\n',
  });
});
