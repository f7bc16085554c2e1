import { existsSync, readFileSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { CheckSkipped } from '../check.js';
import { type DoctorCheck, doubtful } from './finding.js';

/** Where a completion script may be that was written to a file, by shell. */
const SCRIPTS: Record<string, string[]> = {
  fish: ['.config/fish/completions/pao.fish'],
  zsh: ['.zfunc/_pao', '.zsh/completions/_pao'],
  bash: ['.local/share/bash-completion/completions/pao', '.bash_completion.d/pao'],
};
const STARTUP: Record<string, string[]> = {
  bash: ['.bashrc', '.bash_profile'],
  zsh: ['.zshrc'],
  fish: ['.config/fish/config.fish'],
};

export const shellChecks: readonly DoctorCheck[] = [
  {
    id: 'shell.completion',
    title: 'Completion in the shell fits this pao',
    group: 'Shell',
    async run({ place }) {
      const shell = basename(place.env['SHELL'] ?? '');
      const scripts = SCRIPTS[shell];
      if (scripts === undefined)
        throw new CheckSkipped('There is no shell that pao has a completion for.', 'pao completion bash');
      const file = scripts.map((name) => join(place.userHome, name)).find((path) => existsSync(path));
      if (file !== undefined) {
        const text = readFileSync(file, 'utf8');
        const missing = commandWords(place.packageRoot).filter(
          (word) => !new RegExp(`\\b${word}\\b`).test(text),
        );
        if (missing.length === 0) return { shell, file };
        throw doubtful({
          what: `${file} is of another pao: it does not know ${missing.slice(0, 3).join(', ')}.`,
          why: 'The shell does not offer what this pao can do.',
          command: `pao completion ${shell} > ${file}`,
          evidence: { shell, file, missing },
        });
      }
      const startup = (STARTUP[shell] ?? [])
        .map((name) => join(place.userHome, name))
        .find((path) => existsSync(path) && readFileSync(path, 'utf8').includes('pao completion'));
      if (startup === undefined) return { shell, installed: false, how: `pao completion ${shell} --help` };
      const isFound = (place.env['PATH'] ?? '')
        .split(delimiter)
        .some((folder) => folder !== '' && existsSync(join(folder, 'pao')));
      if (isFound) return { shell, file: startup };
      throw doubtful({
        what: `${startup} asks pao for its completion, and there is no pao on the PATH.`,
        why: 'Every new shell begins with an error.',
        command: 'npm install --global pao',
        evidence: { shell, file: startup },
      });
    },
  },
];

/** The first words of all commands. */
function commandWords(packageRoot: string): string[] {
  const manifest = JSON.parse(readFileSync(join(packageRoot, 'oclif.manifest.json'), 'utf8')) as {
    commands: Record<string, { hidden?: boolean }>;
  };
  const ids = Object.entries(manifest.commands).flatMap(([id, { hidden }]) => (hidden ? [] : [id]));
  return [...new Set(ids.map((id) => id.split(':')[0] as string))];
}
