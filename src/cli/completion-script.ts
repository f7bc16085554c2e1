import type { Command } from '@oclif/core/command';

interface Entry {
  /** The command with spaces: `task list`; empty for the root. */
  name: string;
  words: { word: string; summary: string }[];
  flags: { flag: string; summary: string }[];
}

/** A completion script for a shell, from what the commands are and take. */
export function completionScript(
  shell: 'bash' | 'zsh' | 'fish',
  commands: readonly Command.Loadable[],
): string {
  const entries = entriesOf(commands.filter(({ hidden }) => !hidden));
  return { bash, zsh, fish }[shell](entries);
}

function entriesOf(commands: readonly Command.Loadable[]): Entry[] {
  const entries = new Map<string, Entry>();
  const entryOf = (name: string): Entry => {
    const entry = entries.get(name) ?? { name, words: [], flags: [] };
    entries.set(name, entry);
    return entry;
  };
  for (const { id, summary, flags } of [...commands].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const parts = id.split(':');
    for (let depth = 0; depth < parts.length; depth++) {
      const parent = entryOf(parts.slice(0, depth).join(' '));
      const word = parts[depth] ?? '';
      const isLast = depth === parts.length - 1;
      const known = parent.words.find((other) => other.word === word);
      if (!known) parent.words.push({ word, summary: isLast ? (summary ?? '') : '' });
      else if (isLast) known.summary = summary ?? '';
    }
    entryOf(parts.join(' ')).flags = Object.values(flags)
      .filter((flag) => !flag.hidden)
      .map((flag) => ({ flag: `--${flag.name}`, summary: flag.summary ?? flag.description ?? '' }));
  }
  return [...entries.values()];
}

function bash(entries: Entry[]): string {
  const cases = entries.map(({ name, words, flags }) => {
    const all = [...words.map(({ word }) => word), ...flags.map(({ flag }) => flag)];
    return `    ${quote(name)}) words=${quote(all.join(' '))} ;;`;
  });
  return `# pao completion for bash
_pao() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="" next words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in -*) break ;; esac
    next="\${command:+$command }\${COMP_WORDS[i]}"
    case "$next" in ${entries
      .filter(({ name }) => name !== '')
      .map(({ name }) => quote(name))
      .join('|')}) command="$next" ;; *) break ;; esac
  done
  case "$command" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _pao pao
`;
}

function zsh(entries: Entry[]): string {
  const pair = (word: string, summary: string) =>
    quote(`${word.replaceAll(':', '\\:')}:${summary.replaceAll(':', '\\:')}`);
  const cases = entries.map(({ name, words, flags }) => {
    const all = [
      ...words.map(({ word, summary }) => pair(word, summary)),
      ...flags.map(({ flag, summary }) => pair(flag, summary)),
    ];
    return `    ${quote(name)}) choices=(${all.join(' ')}) ;;`;
  });
  return `#compdef pao
_pao() {
  local command="" next word
  local -a choices
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ "$word" == -* ]] && break
    next="\${command:+$command }$word"
    case "$next" in
      (${entries
        .filter(({ name }) => name !== '')
        .map(({ name }) => quote(name))
        .join('|')}) command="$next" ;;
      (*) break ;;
    esac
  done
  case "$command" in
${cases.join('\n')}
  esac
  (( \${#choices} )) && _describe 'pao' choices || _files
}
if [ "$funcstack[1]" = "_pao" ]; then _pao "$@"; else compdef _pao pao; fi
`;
}

function fish(entries: Entry[]): string {
  const lines = entries.flatMap(({ name, words, flags }) => {
    const depth = name === '' ? 0 : name.split(' ').length;
    const at = `"__pao_at ${depth + 1} ${name}"`.replace(' "', '"');
    return [
      ...words.map(
        ({ word, summary }) => `complete -c pao -n ${at} -f -a ${quote(word)} -d ${quote(summary)}`,
      ),
      ...flags.map(({ flag, summary }) => {
        const within = name === '' ? at : `"__pao_within ${name}"`;
        return `complete -c pao -n ${within} -l ${flag.slice(2)} -d ${quote(summary)}`;
      }),
    ];
  });
  return `# pao completion for fish
function __pao_words
  commandline -opc | string match -v -- '-*'
end
function __pao_at
  set -l words (__pao_words)
  test (count $words) -eq $argv[1]; and test "$words[2..]" = "$argv[2..]"
end
function __pao_within
  set -l words (__pao_words)
  test "$words[2..(math (count $argv) + 1)]" = "$argv"
end
${lines.join('\n')}
`;
}

/** A text as one word of any of the three shells. */
function quote(text: string): string {
  return `'${text.replaceAll('\n', ' ').replaceAll("'", "'\\''")}'`;
}
