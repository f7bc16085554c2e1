import { nearest } from '../domain/nearest.js';

/** The nearest command to words that are none, with spaces; null when nothing is near. */
export function nearestCommand(words: readonly string[], ids: Iterable<string>): string | null {
  const commands = [...ids].map((id) => id.replaceAll(':', ' '));
  // Trailing words may be arguments: `pao tsk show briefing` means `pao task show`.
  for (let length = words.length; length > 0; length--) {
    const typed = words.slice(0, length).join(' ');
    const found = commands.includes(typed) ? typed : nearest(typed, commands);
    if (found) return found;
  }
  return null;
}

/** The nearest flag to one that is none, with its dashes; null when nothing is near. */
export function nearestFlag(flag: string, names: Iterable<string>): string | null {
  const bare = flag.replace(/^-+/, '').replace(/=.*$/s, '');
  const found = nearest(bare, names);
  return found === null ? null : `--${found}`;
}
