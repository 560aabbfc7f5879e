import type { CommandDef } from "citty";
import { flagsOf } from "./flags.ts";
import { resolve } from "./help.ts";

/** What can follow some words of the command line. */
export interface Node {
  /** The words, e.g. `keys create`; empty for the program itself. */
  path: string;
  children: { name: string; description: string }[];
  flags: string[];
}

/** Every command of a program, the program itself first. */
export async function commandTree(command: CommandDef, path = ""): Promise<Node[]> {
  const children = Object.entries((await resolve(command.subCommands)) ?? {});
  const nodes: Node[] = [];
  const own: Node = { path, children: [], flags: [...(await flagsOf(command)), "--help"] };
  for (const [name, child] of children) {
    const resolved = await resolve(child);
    if (!resolved) continue;
    const meta = await resolve(resolved.meta);
    // What comes after the colon is an example.
    const description = (meta?.description ?? "").replace(/: cartoon.*/, "").replaceAll(/['"`$\\[\]]/g, "");
    own.children.push({ name, description });
    nodes.push(...(await commandTree(resolved, `${path} ${name}`.trim())));
  }
  return [own, ...nodes];
}

const words = ({ children, flags }: Node): string =>
  [...children.map(({ name }) => name), ...flags].join(" ");

function bash(program: string, nodes: Node[]): string {
  const cases = nodes.map((node) => `    "${node.path}") words="${words(node)}" ;;`).join("\n");
  return `# bash completion for ${program}
_${program}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in -*) break ;; esac
    path="\${path:+$path }\${COMP_WORDS[i]}"
  done
  case "$path" in
${cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${program} ${program}
`;
}

function zsh(program: string, nodes: Node[]): string {
  const quoted = (text: string) => `'${text.replaceAll(":", "\\:")}'`;
  const cases = nodes
    .map((node) => {
      const described = node.children.map(({ name, description }) =>
        quoted(name).replace(/'$/, `:${description.replaceAll(":", "\\:")}'`),
      );
      return `    '${node.path}') commands=(${described.join(" ")}) flags=(${node.flags.join(" ")}) ;;`;
    })
    .join("\n");
  return `#compdef ${program}
_${program}() {
  local -a commands flags
  local line='' i
  for ((i = 2; i < CURRENT; i++)); do
    [[ \${words[i]} == -* ]] && break
    line="\${line:+$line }\${words[i]}"
  done
  case "$line" in
${cases}
  esac
  (( $#commands )) && _describe command commands
  [[ $PREFIX == -* ]] && compadd -- $flags
  (( $#commands )) || _files
}
if [[ \${funcstack[1]} == _${program} ]]; then _${program} "$@"; else compdef _${program} ${program}; fi
`;
}

function fish(program: string, nodes: Node[]): string {
  const lines = nodes.flatMap((node) => {
    const when = `-n 'test (__${program}_path) = "${node.path}"'`;
    const commands = node.children.map(
      ({ name, description }) => `complete -c ${program} -f ${when} -a ${name} -d '${description}'`,
    );
    const flags = node.flags.map((flag) => {
      const name = flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`;
      return `complete -c ${program} ${when} ${name}`;
    });
    return [...commands, ...flags];
  });
  return `# fish completion for ${program}
function __${program}_path
  set -l path
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; and break
    set -a path $word
  end
  echo "$path"
end
${lines.join("\n")}
`;
}

export const SHELLS = { bash, zsh, fish } as const;
export type Shell = keyof typeof SHELLS;
export const isShell = (name: string): name is Shell => Object.hasOwn(SHELLS, name);
