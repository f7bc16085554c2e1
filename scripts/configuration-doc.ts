// Writes docs/configuration.md from the schema of the settings: npm run docs. test/docs/configuration.test.ts holds it to that.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { tryParseDuration } from '../src/domain/duration.js';
import { ENVIRONMENT } from '../src/server/config.js';
import { configSchema } from '../src/server/config-schema.js';

/** What of JSON Schema the settings come to. */
interface Described {
  type?: string | string[];
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  format?: string;
  minimum?: number;
  maximum?: number;
  items?: Described;
  anyOf?: Described[];
  oneOf?: Described[];
  properties?: Record<string, Described>;
  required?: string[];
  additionalProperties?: Described | false;
}

/** Settings that many change. A test reads it with the schema. */
export const EXAMPLE = `# pao.config.yaml
database_url: postgres://pao@db.example.org/pao # left out: orchestrator.db in the data directory
public_url: https://pao.example.org # behind a proxy or tunnel
workers: 4
worker_concurrency: 8
timezone: Europe/Berlin
retention: { runs: 30d, events: 7d }
channels:
  me: { kind: telegram, token: "\${secrets.TELEGRAM_BOT_TOKEN}", chat_id: 100200300 }
  team: { kind: ntfy, url: https://ntfy.sh/our-secret-topic }
notify: { channel: me, approvals: me, after: 2, pause_after: 10 }
budget: { per_day: { usd: 2, runs: 500 } }
secrets:
  commands: { GITHUB_TOKEN: [pass, show, github/token] }
lint:
  rules: { call-timeout: error }
`;

const HEAD = `# Configuration

Flags come first, then the environment, then \`pao.config.yaml\`, then defaults. The file is the one of the folder a command is
started in, or the nearest above it; services read it once, at their start. \`pao doctor --verbose\` shows every setting
and where it came from. What is wrong is refused before anything starts (exit code 2), all of it at once, with the nearest
known name. Settings are made of these types: a *duration* is a number and a unit (\`500ms\`, \`15s\`, \`5m\`, \`2h\`, \`30d\`), a *map*
has names of your own as keys.

This page is made from the schema by \`npm run docs\`.

## An example

\`\`\`yaml
${EXAMPLE}\`\`\`

## Settings
`;

const FOOT = `
## Environment besides

| variable | what it says |
|---|---|
| \`PAO_HOME\` | The data directory; else the nearest \`.pao/\` upward, else \`~/.local/share/pao\`. |
| \`PAO_URL\`, \`PAO_TOKEN\` | Which server commands talk to, and as whom; else \`credentials.json\` of the data directory. |
| \`PAO_SECRET_<NAME>\` | The secret NAME, of the server ([secrets.md](secrets.md)). |
| \`OTEL_EXPORTER_OTLP_ENDPOINT\` | Where spans are exported to; nowhere without it. |
| \`PAO_DEBUG=1\` | Errors of commands show their stack. |
| \`NO_COLOR\`, \`FORCE_COLOR\` | No colours, or colours in a pipe too. |
`;

/** docs/configuration.md as it should be. @throws Error that names a setting without a description. */
export function configurationDoc(): string {
  const { properties = {} } = z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
  }) as Described;
  const kinds = asObject(properties['channels']?.additionalProperties).oneOf ?? [];
  const channels = kinds.flatMap((kind) => {
    const { kind: name, ...settings } = kind.properties ?? {};
    return ['', `### kind: ${String(name?.const)}`, '', ...tableOf(settings, kind.required ?? [])];
  });
  return [
    HEAD,
    ...tableOf(properties, []),
    '',
    '## Channels',
    '',
    'Under `channels`, by a name of your own: [delivery.md](delivery.md).',
    ...channels,
    FOOT,
  ].join('\n');
}

function tableOf(properties: Record<string, Described>, required: readonly string[]): string[] {
  const rows = Object.entries(properties).flatMap(([key, one]) => rowsOf(key, one, required.includes(key)));
  if (rows.length === 0) return ['Nothing but its kind.'];
  return ['| setting | type | default | environment | what it says |', '|---|---|---|---|---|', ...rows];
}

function rowsOf(path: string, one: Described, isRequired: boolean): string[] {
  if (one.description === undefined) throw new Error(`${path} has no description.`);
  const { properties, required = [] } = one;
  // What a group is when left out, its settings say one by one.
  const preset = properties !== undefined || one.default === undefined ? '' : code(one.default);
  const variable = Object.entries(ENVIRONMENT).find(([, { key }]) => key === path)?.[0];
  const cells = [
    code(path),
    typeOf(one),
    isRequired ? 'required' : preset,
    variable === undefined ? '' : code(variable),
    one.description.replace(/(?<!\.)$/, '.'),
  ];
  const own = `| ${cells.map((cell) => cell.replaceAll('|', '\\\|')).join(' | ')} |`;
  // What is bounded is told in the row itself.
  const inner = one.description.startsWith('Bounds:') ? {} : (properties ?? {});
  const rows = Object.entries(inner).flatMap(([key, each]) =>
    rowsOf(`${path}.${key}`, each, required.includes(key)),
  );
  return [own, ...rows];
}

function typeOf(one: Described): string {
  const choices = one.anyOf ?? one.oneOf;
  if (choices !== undefined) return [...new Set(choices.map(typeOf))].join(' or ');
  if (one.enum !== undefined) return one.enum.map(code).join(', ');
  if (typeof one.default === 'string' && tryParseDuration(one.default) !== null) return 'duration';
  switch (one.type) {
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `whole number${boundsOf(one)}`;
    case 'number':
      return `number${boundsOf(one)}`;
    case 'array':
      return `list of ${typeOf(one.items ?? {}).replace(/^(text|whole number|number)\b/, '$1s')}`;
    case 'object':
      return one.properties === undefined ? 'map' : 'group';
    case 'string':
      return one.format === 'uri' ? 'URL' : 'text';
    default:
      return 'anything';
  }
}

function boundsOf({ minimum, maximum }: Described): string {
  const isBounded = (bound: number | undefined): bound is number =>
    bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
  if (isBounded(minimum) && isBounded(maximum)) return `, ${minimum} to ${maximum}`;
  return isBounded(minimum) ? `, from ${minimum}` : '';
}

const asObject = (one: Described | false | undefined): Described => one || {};
const code = (value: unknown) => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;

const [, script] = process.argv;
if (script === fileURLToPath(import.meta.url))
  writeFileSync(new URL('../docs/configuration.md', import.meta.url), configurationDoc());
