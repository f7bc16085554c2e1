import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { EXIT, PaoError } from '../../domain/errors.js';
import { readPrivate, writePrivate } from './private-file.js';
import { deriveKey, newKey, SCRYPT, seal, unseal } from './sealing.js';

/** How the local store is locked, as its file says it. */
export const keyHeaderSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('file'), id: z.string().min(1), check: z.string() }),
  z.strictObject({
    kind: z.literal('passphrase'),
    id: z.string().min(1),
    check: z.string(),
    salt: z.string(),
    n: z
      .int()
      .min(2)
      .max(2 ** 20),
    r: z.int().min(1).max(64),
    p: z.int().min(1).max(64),
  }),
]);
export type KeyHeader = z.infer<typeof keyHeaderSchema>;

const keyFileSchema = z.strictObject({ keys: z.record(z.string(), z.string()) });
const CHECK = 'pao-secrets';

type Environment = Readonly<Record<string, string | undefined>>;

export const keyFile = (home: string): string => join(home, 'secrets.key');

/**
 * The passphrase of the local store: `PAO_SECRETS_PASSPHRASE`, else the first line of the file that
 * `PAO_SECRETS_PASSPHRASE_FILE` names (mode 0600). null when neither is set.
 */
export async function passphraseOf(environment: Environment): Promise<string | null> {
  const given = environment['PAO_SECRETS_PASSPHRASE'];
  if (given) return given;
  const path = environment['PAO_SECRETS_PASSPHRASE_FILE'];
  if (!path) return null;
  const file = await readPrivate(path);
  const line = file?.text.split(/\r?\n/)[0] ?? '';
  if (line !== '') return line;
  throw keyError(
    `PAO_SECRETS_PASSPHRASE_FILE names ${path}, which ${file === null ? 'is not there' : 'is empty'}.`,
  );
}

/** A new key, and how the store says which one it is. With a passphrase nothing is written beside the store. */
export async function makeKey(
  home: string,
  passphrase: string | null,
): Promise<{ header: KeyHeader; key: Buffer }> {
  const id = randomBytes(6).toString('hex');
  if (passphrase !== null) {
    const salt = randomBytes(16);
    const key = await deriveKey(passphrase, salt, SCRYPT);
    const header = {
      kind: 'passphrase' as const,
      id,
      check: seal(key, id, CHECK),
      salt: salt.toString('base64'),
    };
    return { header: { ...header, ...SCRYPT }, key };
  }
  const key = newKey();
  // Beside the key there was: until the store is written anew with this one, the other is the one it needs.
  const keys = { ...(await readKeys(home)), [id]: key.toString('base64') };
  await writePrivate(keyFile(home), `${JSON.stringify({ keys }, null, 2)}\n`);
  return { header: { kind: 'file', id, check: seal(key, id, CHECK) }, key };
}

/** Forgets every key but one; with `null` all of them. */
export async function keepOnly(home: string, id: string | null): Promise<void> {
  const all = await readKeys(home);
  const kept = Object.fromEntries(Object.entries(all).filter(([one]) => one === id));
  if (Object.keys(kept).length === Object.keys(all).length) return;
  await writePrivate(keyFile(home), `${JSON.stringify({ keys: kept }, null, 2)}\n`);
}

/** The key of a store. @throws PaoError PAO_SECRET_KEY that says what is missing. */
export async function findKey(home: string, header: KeyHeader, environment: Environment): Promise<Buffer> {
  const key =
    header.kind === 'file'
      ? await keyFromFile(home, header.id)
      : await keyFromPassphrase(header, await passphraseOf(environment));
  if (unseal(key, header.id, header.check) === CHECK) return key;
  throw keyError(
    header.kind === 'file'
      ? `The key in ${keyFile(home)} is not the one the secrets were stored with.`
      : 'The passphrase is not the one the secrets were stored with.',
  );
}

async function keyFromFile(home: string, id: string): Promise<Buffer> {
  const text = (await readKeys(home))[id];
  if (text !== undefined) return Buffer.from(text, 'base64');
  throw keyError(`The key of the stored secrets (${id}) is not in ${keyFile(home)}.`);
}

async function keyFromPassphrase(
  header: Extract<KeyHeader, { kind: 'passphrase' }>,
  passphrase: string | null,
): Promise<Buffer> {
  if (passphrase === null) {
    throw keyError(
      'The stored secrets are locked with a passphrase: set PAO_SECRETS_PASSPHRASE or PAO_SECRETS_PASSPHRASE_FILE.',
      ['export PAO_SECRETS_PASSPHRASE_FILE=/path/to/a/file', 'pao doctor --only secrets.store'],
    );
  }
  return deriveKey(passphrase, Buffer.from(header.salt, 'base64'), header);
}

async function readKeys(home: string): Promise<Record<string, string>> {
  const path = keyFile(home);
  const file = await readPrivate(path);
  if (file === null) return {};
  try {
    return keyFileSchema.parse(JSON.parse(file.text)).keys;
  } catch {
    // What was read is a key, or part of one: it is not quoted.
    throw keyError(`${path} is damaged.`);
  }
}

const PUT_BACK = [
  'Put the key back from your backup, or store the secrets anew: pao secret set NAME',
  'pao doctor --only secrets.store',
];

const keyError = (message: string, hints: string[] = PUT_BACK) =>
  new PaoError('PAO_SECRET_KEY', message, { exitCode: EXIT.unavailable, status: 503, hints });
