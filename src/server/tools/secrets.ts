import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Redactor } from '../../domain/redact.js';
import { ToolError } from '../../domain/tool-error.js';

/** Who asks for a secret: a secret may be limited to certain tools and agents. */
export interface SecretUse {
  /** Address of the tool the value goes to. */
  tool?: string | undefined;
  /** Name of the agent on whose behalf it is used. */
  agent?: string | undefined;
}

/** Where the values behind `${secrets.NAME}` come from. */
export interface SecretSource {
  /**
   * The value; it is registered with the redactor before it is handed out.
   * @throws ToolError `config_error` when there is no such secret or its file is not safe, `auth` when this use is not
   *   allowed.
   */
  resolve(name: string, use: SecretUse): Promise<string>;
  /** Names that can be resolved now, sorted; never values. */
  names(): Promise<string[]>;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const ENVIRONMENT_PREFIX = 'PAO_SECRET_';

const fileSchema = z.record(
  z.string().regex(NAME),
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
  /** The data directory (`PAO_HOME`); `secrets.json` in it is read when it is there. */
  home?: string | undefined;
  /** Environment to look for `PAO_SECRET_<NAME>` in. */
  environment?: Record<string, string | undefined> | undefined;
  redactor: Redactor;
}

/**
 * Secrets from `PAO_SECRET_<NAME>` in the environment, else from `secrets.json` in the data directory:
 * `{"NAME": "value"}` or `{"NAME": {"value": …, "tools": ["telegram.*"], "agents": ["planner"]}}`. The file is read again when it
 * changes, and refused when others on the machine could read it.
 */
export function createSecretSource(options: SecretSourceOptions): SecretSource {
  const environment = options.environment ?? {};
  const file = options.home === undefined ? undefined : join(options.home, 'secrets.json');
  let cached: { stamp: string; secrets: Map<string, Secret> } | undefined;

  const fromFile = async (): Promise<Map<string, Secret>> => {
    if (file === undefined) return new Map();
    const read = await readSecretFile(file, cached);
    cached = read;
    return read?.secrets ?? new Map();
  };

  return {
    async resolve(name, use) {
      if (!NAME.test(name))
        throw new ToolError('config_error', `"${name.slice(0, 64)}" is not the name of a secret.`);
      const fromEnvironment = environment[ENVIRONMENT_PREFIX + name];
      const secret: Secret | undefined = fromEnvironment
        ? { value: fromEnvironment }
        : (await fromFile()).get(name);
      if (!secret) {
        throw new ToolError(
          'config_error',
          `There is no secret ${name}: set ${ENVIRONMENT_PREFIX}${name} in the environment of the server, or add "${name}" to ${file ?? 'secrets.json'}.`,
        );
      }
      options.redactor.register(secret.value);
      if (!allows(secret.tools, use.tool) || !allows(secret.agents, use.agent)) {
        const who = [use.agent && `agent ${use.agent}`, use.tool && `tool ${use.tool}`]
          .filter(Boolean)
          .join(', ');
        throw new ToolError('auth', `Secret ${name} is not allowed for ${who || 'this use'}.`);
      }
      return secret.value;
    },
    async names() {
      const names = new Set((await fromFile()).keys());
      for (const [key, value] of Object.entries(environment)) {
        if (key.startsWith(ENVIRONMENT_PREFIX) && value) names.add(key.slice(ENVIRONMENT_PREFIX.length));
      }
      return [...names].sort();
    },
  };
}

function allows(patterns: string[] | undefined, name: string | undefined): boolean {
  if (patterns === undefined) return true;
  if (name === undefined) return false;
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name,
  );
}

async function readSecretFile(
  path: string,
  before: { stamp: string; secrets: Map<string, Secret> } | undefined,
): Promise<{ stamp: string; secrets: Map<string, Secret> } | undefined> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ToolError('config_error', `Cannot read ${path}: ${(error as Error).message}.`, {
      cause: error,
    });
  }
  try {
    // The open file is asked, not the path: between the two it could have been exchanged.
    const stat = await handle.stat();
    if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
      throw new ToolError(
        'config_error',
        `${path} can be read by others on this machine; run: chmod 600 ${path}`,
      );
    }
    const stamp = `${stat.ino}:${stat.size}:${stat.mtimeMs}`;
    if (before?.stamp === stamp) return before;
    return { stamp, secrets: parseSecretFile(path, await handle.readFile('utf8')) };
  } finally {
    await handle.close();
  }
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
