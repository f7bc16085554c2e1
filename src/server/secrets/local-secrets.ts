import { join } from 'node:path';
import { z } from 'zod';
import { EXIT, PaoError } from '../../domain/errors.js';
import { isSecretName } from '../../domain/secret-name.js';
import { alone } from './alone.js';
import { type PrivateText, readPrivate, writePrivate } from './private-file.js';
import { seal, unseal } from './sealing.js';
import { findKey, keepOnly, keyHeaderSchema, makeKey, passphraseOf } from './secret-keys.js';

const limits = z.array(z.string().min(1).max(200)).max(200).optional();
const storedSchema = z.strictObject({
  sealed: z.string(),
  /** Addresses that may use it, or prefixes that end in `*`; all when left out. */
  tools: limits,
  /** Names of agents that may use it; all when left out. */
  agents: limits,
  created_at: z.string(),
  updated_at: z.string(),
});
const fileSchema = z.strictObject({
  format: z.literal('pao-secrets/1'),
  key: keyHeaderSchema,
  secrets: z.record(z.string().refine(isSecretName), storedSchema),
});
type SecretsFile = z.infer<typeof fileSchema>;
type Stored = z.infer<typeof storedSchema>;

/** Who may use a secret; all when left out. */
export interface SecretLimits {
  tools?: string[] | undefined;
  agents?: string[] | undefined;
}

/** What is known of a stored secret without its key. */
export interface LocalSecret extends SecretLimits {
  name: string;
  created_at: string;
  updated_at: string;
}

export interface LocalSecretsOptions {
  /** The data directory. */
  home: string;
  /** Where the passphrase is looked for. */
  environment: Readonly<Record<string, string | undefined>>;
}

/** How long a command waits for another one that writes, milliseconds. */
const LOCK_WAIT_MS = 5000;

export const localSecretsFile = (home: string): string => join(home, 'secrets.enc.json');

/**
 * The encrypted store of one data directory, `secrets.enc.json`: each value sealed with AES-256-GCM, bound to its name and
 * to who may use it. The key lies in `secrets.key` (mode 0600), or is made of a passphrase with scrypt.
 */
export class LocalSecrets {
  readonly #file: string;
  #opened: { stamp: string; key: Buffer } | null = null;

  constructor(private readonly options: LocalSecretsOptions) {
    this.#file = localSecretsFile(options.home);
  }

  /** Changes with the store; null when there is none. */
  async stamp(): Promise<string | null> {
    return (await readPrivate(this.#file))?.stamp ?? null;
  }

  /** Names and who may use them, sorted; needs no key. @throws PaoError when the store can not be read. */
  async list(): Promise<LocalSecret[]> {
    const read = await this.#read();
    return Object.entries(read?.content.secrets ?? {})
      .map(([name, { tools, agents, created_at, updated_at }]) => ({
        name,
        tools,
        agents,
        created_at,
        updated_at,
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Every value with who may use it, by name.
   * @throws PaoError PAO_SECRET_KEY without the right key, PAO_SECRET_STORE when the file was damaged or changed.
   */
  async readAll(): Promise<Map<string, SecretLimits & { value: string }>> {
    const read = await this.#read();
    const values = new Map<string, SecretLimits & { value: string }>();
    if (read === null || Object.keys(read.content.secrets).length === 0) return values;
    const key = await this.#key(read);
    for (const [name, stored] of Object.entries(read.content.secrets)) {
      const value = unseal(key, bound(name, stored), stored.sealed);
      if (value === null) {
        throw new PaoError(
          'PAO_SECRET_STORE',
          `The secret ${name} in ${this.#file} was damaged or changed.`,
          {
            exitCode: EXIT.unavailable,
            hints: [`pao secret set ${name}`],
          },
        );
      }
      values.set(name, { value, tools: stored.tools, agents: stored.agents });
    }
    return values;
  }

  /** Stores a value; what was there under that name is replaced, who may use it stays unless it is said. */
  set(name: string, value: string, limit: SecretLimits, now: number): Promise<'created' | 'replaced'> {
    return this.#change(async (content, key) => {
      const before = content.secrets[name];
      const at = new Date(now).toISOString();
      const tools = limit.tools ?? before?.tools;
      const agents = limit.agents ?? before?.agents;
      content.secrets[name] = sealed(key, name, value, {
        ...(tools === undefined ? {} : { tools }),
        ...(agents === undefined ? {} : { agents }),
        created_at: before?.created_at ?? at,
        updated_at: at,
      });
      return before === undefined ? 'created' : 'replaced';
    });
  }

  /** Changes who may use it. @returns false when there is none of that name. */
  limit(name: string, change: (before: SecretLimits) => SecretLimits, now: number): Promise<boolean> {
    return this.#change(async (content, key) => {
      const before = content.secrets[name];
      if (before === undefined) return false;
      const value = opened(key, name, before);
      const { tools, agents } = change({ tools: before.tools, agents: before.agents });
      content.secrets[name] = sealed(key, name, value, {
        ...(tools === undefined ? {} : { tools }),
        ...(agents === undefined ? {} : { agents }),
        created_at: before.created_at,
        updated_at: new Date(now).toISOString(),
      });
      return true;
    });
  }

  /** @returns false when there is none of that name. Needs no key. */
  delete(name: string): Promise<boolean> {
    return this.#alone(async () => {
      const read = await this.#read();
      if (read?.content.secrets[name] === undefined) return false;
      delete read.content.secrets[name];
      await this.#write(read.content);
      return true;
    });
  }

  /**
   * Seals every value anew, with a new key. A crash on the way leaves a store that can be opened.
   * @param passphrase to lock it with from now on; null: a key file.
   * @returns how many values.
   */
  rekey(passphrase: string | null): Promise<number> {
    return this.#alone(async () => {
      const read = await this.#read();
      if (read === null) return 0;
      const old = await this.#key(read);
      const { header, key } = await makeKey(this.options.home, passphrase);
      const secrets = Object.entries(read.content.secrets).map(([name, stored]) => {
        return [name, sealed(key, name, opened(old, name, stored), stored)] as const;
      });
      await this.#write({ ...read.content, key: header, secrets: Object.fromEntries(secrets) });
      await keepOnly(this.options.home, header.kind === 'file' ? header.id : null);
      return secrets.length;
    });
  }

  /** How the store is locked; null when there is none. */
  async lockedWith(): Promise<'file' | 'passphrase' | null> {
    return (await this.#read())?.content.key.kind ?? null;
  }

  async #read(): Promise<(PrivateText & { content: SecretsFile }) | null> {
    const file = await readPrivate(this.#file);
    if (file === null) return null;
    try {
      return { ...file, content: fileSchema.parse(JSON.parse(file.text)) };
    } catch {
      throw new PaoError('PAO_SECRET_STORE', `${this.#file} is damaged, or of a newer version of pao.`, {
        exitCode: EXIT.unavailable,
        hints: ['Put it back from your backup', 'pao doctor --only secrets.store'],
      });
    }
  }

  /** The key stays in memory for as long as the store says it is this one: scrypt is slow by design. */
  async #key({ content }: { content: SecretsFile }): Promise<Buffer> {
    if (this.#opened?.stamp === content.key.check) return this.#opened.key;
    const key = await findKey(this.options.home, content.key, this.options.environment);
    this.#opened = { stamp: content.key.check, key };
    return key;
  }

  #write(content: SecretsFile): Promise<void> {
    return writePrivate(this.#file, `${JSON.stringify(content, null, 2)}\n`);
  }

  #change<T>(change: (content: SecretsFile, key: Buffer) => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      const read = await this.#read();
      if (read === null) {
        const made = await makeKey(this.options.home, await passphraseOf(this.options.environment));
        const content: SecretsFile = { format: 'pao-secrets/1', key: made.header, secrets: {} };
        const result = await change(content, made.key);
        if (Object.keys(content.secrets).length > 0) await this.#write(content);
        return result;
      }
      const result = await change(read.content, await this.#key(read));
      await this.#write(read.content);
      return result;
    });
  }

  /** One writer at a time. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const busy = () =>
      new PaoError('PAO_SECRET_STORE_BUSY', 'Another command is writing the secrets.', {
        exitCode: EXIT.unavailable,
        hints: ['Try again in a moment'],
      });
    return alone(join(this.options.home, 'secrets.lock'), { waitMs: LOCK_WAIT_MS, busy }, work);
  }
}

/** What a sealed value is bound to: its name, and who may use it. */
const bound = (name: string, { tools, agents }: SecretLimits): string =>
  JSON.stringify(['pao-secret', name, tools ?? null, agents ?? null]);

const sealed = (key: Buffer, name: string, value: string, rest: Omit<Stored, 'sealed'>): Stored => ({
  ...rest,
  sealed: seal(key, bound(name, rest), value),
});

function opened(key: Buffer, name: string, stored: Stored): string {
  const value = unseal(key, bound(name, stored), stored.sealed);
  if (value !== null) return value;
  throw new PaoError('PAO_SECRET_STORE', `The stored secret ${name} was damaged or changed.`, {
    exitCode: EXIT.unavailable,
    hints: [`pao secret set ${name}`],
  });
}
