import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InstalledService } from './manager.js';
import { readFacts } from './program.js';

/** The services of a folder, by the names of their files; the first group of the pattern is the short name. */
export function installedIn(folder: string, pattern: RegExp): InstalledService[] {
  return listed(folder).flatMap((entry) => {
    const name = pattern.exec(entry)?.[1];
    if (name === undefined) return [];
    const file = join(folder, entry);
    const text = textOf(file);
    return text === null ? [] : [{ name, file, facts: readFacts(text) }];
  });
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
