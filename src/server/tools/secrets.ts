import { join } from 'node:path';
import { z } from 'zod';
import { PaoError } from '../../domain/errors.js';
import { nearest } from '../../domain/nearest.js';
import type { Redactor } from '../../domain/redact.js';
import { isSecretName } from '../../domain/secret-name.js';
import { ToolError } from '../../domain/tool-error.js';
import { LocalSecrets } from '../secrets/local-secrets.js';
import { readPrivate } from '../secrets/private-file.js';
import { secretFromCommand } from '../secrets/secret-command.js';

/** Who asks for a secret: a secret may be limited to certain tools and agents. */
export interface SecretUse {
  /** Address of the tool the value goes to. */
  tool?: string | undefined;
  /** Name of the agent on whose behalf it is used. */
  agent?: string | undefined;
}

/** Where a secret comes from. */
export type SecretOrigin = 'environment' | 'file' | 'store' | 'command';

/** What may be said of a secret; never its value. */
export interface SecretInfo {
  name: string;
  source: SecretOrigin;
  /** Addresses that may use it, or prefixes that end in `*`; null: all. */
  tools: string[] | null;
  /** Names of agents that may use it; null: all. */
  agents: string[] | null;
  /** When it was stored last, where that is known. */
  updatedAt: string | null;
}

/** Where the values behind `${secrets.NAME}` come from. */
export interface SecretSource {
  /**
   * The value; it is registered with the redactor before it is handed out.
   * @throws ToolError `config_error` when there is no such secret or its source is not safe, `auth` when this use is not
   *   allowed.
   */
  resolve(name: string, use: SecretUse): Promise<string>;
  /** Names that can be resolved now, sorted; never values. */
  names(): Promise<string[]>;
  /** What there is, by name. A source that can not be read throws a ToolError. */
  list(): Promise<SecretInfo[]>;
  /** Hides every value that can be read now wherever it may turn up, not only after its first use. */
  hideAll(): Promise<void>;
}

const ENVIRONMENT_PREFIX = 'PAO_SECRET_';
/** How long a command's answer is used again, milliseconds: a `foreach` must not start it a thousand times. */
const COMMAND_CACHE_MS = 60_000;

const fileSchema = z.record(
  z.string().refine(isSecretName),
  z.union([
    z.string().min(1),
    z.strictObject({
      value: z.string().min(1),
      /** Addresses that may use it, or prefixes that end in `*`; all when left out. */
      tools: z.array(z.string()).optional(),
      /** Names of agents that may use it; all when left out. */
      agents: z.array(z.string()).optional(),
    }),
  ]),
);

interface Secret {
  value: string;
  tools?: string[] | undefined;
  agents?: string[] | undefined;
}

export interface SecretSourceOptions {
  /** The data directory (`PAO_HOME`); `secrets.json` and the encrypted store in it are read when they are there. */
  home?: string | undefined;
  /** Environment to look for `PAO_SECRET_<NAME>` in. */
  environment?: Record<string, string | undefined> | undefined;
  /** Programs to ask, by the name of the secret (`secrets.commands` of the configuration). */
  commands?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Longest time such a program may take, milliseconds. */
  commandTimeoutMs?: number | undefined;
  redactor: Redactor;
  /** Told of each use that was allowed. */
  onUsed?: ((name: string, use: SecretUse) => void) | undefined;
  /** For how long a command answered; real time when left out. */
  monotonic?: (() => number) | undefined;
}

/**
 * Secrets, looked for in this order: `PAO_SECRET_<NAME>` in the environment; `secrets.json` in the data directory
 * (`{"NAME": "value"}` or `{"NAME": {"value": …, "tools": ["telegram.*"], "agents": ["planner"]}}`); the encrypted store
 * (`pao secret set`); a command of the configuration. Files are read again when they change, and refused when others on
 * the machine could read them.
 */
export function createSecretSource(options: SecretSourceOptions): SecretSource {
  const { home, redactor, environment = {}, commands = {} } = options;
  const monotonic = options.monotonic ?? (() => performance.now());
  const file = home === undefined ? undefined : join(home, 'secrets.json');
  const store = home === undefined ? null : new LocalSecrets({ home, environment });
  let cachedFile: { stamp: string; secrets: Map<string, Secret> } | null = null;
  let cachedStore: { stamp: string; secrets: Map<string, Secret> } | null = null;
  const answers = new Map<string, { value: Promise<string>; until: number }>();

  const hide = (secrets: ReadonlyMap<string, Secret>) => {
    for (const { value } of secrets.values()) redactor.register(value);
  };

  const fromFile = async (): Promise<ReadonlyMap<string, Secret>> => {
    const read = file === undefined ? null : await readPrivate(file);
    if (read === null) cachedFile = null;
    else if (cachedFile?.stamp !== read.stamp) {
      cachedFile = { stamp: read.stamp, secrets: parseSecretFile(file as string, read.text) };
      hide(cachedFile.secrets);
    }
    return cachedFile?.secrets ?? new Map();
  };

  const fromStore = async (): Promise<ReadonlyMap<string, Secret>> => {
    const stamp = (await store?.stamp()) ?? null;
    if (stamp === null || store === null) cachedStore = null;
    else if (cachedStore?.stamp !== stamp) {
      cachedStore = { stamp, secrets: await store.readAll() };
      hide(cachedStore.secrets);
    }
    return cachedStore?.secrets ?? new Map();
  };

  const fromCommand = async (name: string): Promise<Secret | undefined> => {
    const argv = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (argv === undefined) return undefined;
    const known = answers.get(name);
    if (known !== undefined && known.until > monotonic()) return { value: await known.value };
    const value = secretFromCommand(name, argv, environment, options.commandTimeoutMs ?? 10_000);
    answers.set(name, { value, until: monotonic() + COMMAND_CACHE_MS });
    // A failure is not kept: the next call asks again.
    value.catch(() => answers.delete(name));
    return { value: await value };
  };

  const find = async (name: string): Promise<Secret | undefined> => {
    const given = environment[ENVIRONMENT_PREFIX + name];
    if (given) return { value: given };
    return (await fromFile()).get(name) ?? (await fromStore()).get(name) ?? (await fromCommand(name));
  };

  const list = async (): Promise<SecretInfo[]> => {
    const found = new Map<string, SecretInfo>();
    const add = (
      name: string,
      source: SecretOrigin,
      rest: Partial<Secret> & { updated_at?: string } = {},
    ) => {
      if (found.has(name)) return;
      const { tools = null, agents = null, updated_at: updatedAt = null } = rest;
      found.set(name, { name, source, tools, agents, updatedAt });
    };
    for (const [key, value] of Object.entries(environment))
      if (key.startsWith(ENVIRONMENT_PREFIX) && value)
        add(key.slice(ENVIRONMENT_PREFIX.length), 'environment');
    for (const [name, { tools, agents }] of await fromFile()) add(name, 'file', { tools, agents });
    for (const one of (await store?.list()) ?? []) add(one.name, 'store', one);
    for (const name of Object.keys(commands)) add(name, 'command');
    return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  };

  return {
    async resolve(name, use) {
      if (!isSecretName(name))
        throw new ToolError('config_error', `"${name.slice(0, 64)}" is not the name of a secret.`);
      const secret = await asToolError(() => find(name));
      if (!secret) {
        const near = nearest(name, await this.names().catch(() => []));
        const meant = near === null ? '' : ` Did you mean ${near}?`;
        throw new ToolError(
          'config_error',
          `There is no secret ${name}: pao secret set ${name} stores one, or set ${ENVIRONMENT_PREFIX}${name} in the environment of the server.${meant}`,
        );
      }
      redactor.register(secret.value);
      if (!allows(secret.tools, use.tool) || !allows(secret.agents, use.agent)) {
        const who = [use.agent && `agent ${use.agent}`, use.tool && `tool ${use.tool}`]
          .filter(Boolean)
          .join(', ');
        throw new ToolError('auth', `Secret ${name} is not allowed for ${who || 'this use'}.`);
      }
      options.onUsed?.(name, use);
      return secret.value;
    },
    names: async () => (await asToolError(list)).map(({ name }) => name),
    list: () => asToolError(list),
    async hideAll() {
      for (const [key, value] of Object.entries(environment))
        if (key.startsWith(ENVIRONMENT_PREFIX) && value) redactor.register(value);
      await asToolError(fromFile);
      await asToolError(fromStore);
    },
  };
}

/** What a source says in words, as the error of a tool call. */
async function asToolError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PaoError)) throw error;
    throw new ToolError('config_error', error.message, { cause: error });
  }
}

function allows(patterns: string[] | undefined, name: string | undefined): boolean {
  if (patterns === undefined) return true;
  if (name === undefined) return false;
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name,
  );
}

function parseSecretFile(path: string, text: string): Map<string, Secret> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, and the text is made of secrets.
    throw new ToolError('config_error', `${path} is not JSON.`);
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) {
    const where = parsed.error.issues.map((issue) => `/${issue.path.slice(0, 1).join('/')}`).join(', ');
    throw new ToolError(
      'config_error',
      `${path} must map names to texts or to {value, tools, agents}; look at ${where.slice(0, 200)}.`,
    );
  }
  return new Map(
    Object.entries(parsed.data).map(([name, entry]) => [
      name,
      typeof entry === 'string' ? { value: entry } : entry,
    ]),
  );
}
