import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EXIT, PaoError } from '../domain/errors.js';

/**
 * Makes sure that `secrets.json` of the data directory has these secrets; those that are there already stay as they are.
 * The file is written whole, with mode 0600.
 * @param defaults values for the names that are missing.
 * @returns the values that hold now, and which of them were added.
 * @throws PaoError PAO_SECRETS_INVALID when the file is there and is not a JSON object.
 */
export async function ensureSecrets(
  home: string,
  defaults: Record<string, string>,
): Promise<{ path: string; values: Record<string, string>; added: string[] }> {
  const path = join(home, 'secrets.json');
  const known = await readSecrets(path);
  const added = Object.keys(defaults).filter((name) => !Object.hasOwn(known, name));
  if (added.length > 0) {
    const next = { ...known, ...Object.fromEntries(added.map((name) => [name, defaults[name]])) };
    await mkdir(home, { recursive: true, mode: 0o700 });
    // A reader must never see half a file, and nobody else the new one.
    const draft = `${path}.${randomUUID()}`;
    await writeFile(draft, `${JSON.stringify(next, null, 2)}\n`, { mode: 0o600 });
    await chmod(draft, 0o600);
    await rename(draft, path);
  }
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(defaults)) values[name] = valueOf(known[name]) ?? value;
  return { path, values, added };
}

/** A secret is a text, or an object with a `value` that is limited to some tools. */
function valueOf(entry: unknown): string | undefined {
  if (typeof entry === 'string') return entry;
  const value = (entry as { value?: unknown } | undefined)?.value;
  return typeof value === 'string' ? value : undefined;
}

async function readSecrets(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // The parser would quote the text, and the text is made of secrets.
  }
  throw new PaoError('PAO_SECRETS_INVALID', `${path} is not a JSON object of names and values.`, {
    exitCode: EXIT.usage,
    hints: [`Mend or move ${path}, then try again`],
  });
}
