import { readFileSync } from 'node:fs';
import { SECRET_FIELD, secretTextsIn } from '../../domain/secret-fields.js';
import { findUpward } from '../../server/config.js';
import type { DoctorContext } from '../doctor/context.js';
import { broken, type DoctorCheck, doubtful, some } from '../doctor/finding.js';
import { SECRET_FORMS } from '../doctor/secret-finder.js';
import { storedValues } from '../doctor/secrets.js';
import { serverEnvironment } from '../doctor/server-environment.js';

/** Values that everybody tries first. */
const COMMON =
  /^(changeme|change-me|password|passwort|secret|test|admin|default|example|token|letmein|12345678?9?0?|qwerty)$/i;
const SHORT = 8;

export const secretChecks: readonly DoctorCheck[] = [
  {
    id: 'secrets.plain',
    title: 'No secret is written out in a task, a tool or the configuration',
    group: 'Secrets',
    async run(context) {
      const found = await plainSecrets(context);
      if (found.length === 0) return {};
      throw broken({
        what: `What looks like a secret is written out in ${some(found, 5)}.`,
        why: 'It is stored, shown and exported as it stands. Write ${secrets.NAME} and keep the value with pao secret set.',
        command: 'pao secret set NAME',
        evidence: { places: found.slice(0, 50) },
      });
    },
  },
  {
    id: 'secrets.weak',
    title: 'No secret is empty, short or one that everybody tries',
    group: 'Secrets',
    async run(context) {
      const secrets = { ...secretValues(context), ...Object.fromEntries(await storedValues(context)) };
      const weak = Object.entries(secrets)
        .filter(([, value]) => value.length < SHORT || COMMON.test(value))
        .map(([name]) => name);
      if (weak.length === 0) return { secrets: Object.keys(secrets).length };
      throw doubtful({
        what: `${some(weak, 5)} ${weak.length === 1 ? 'is' : 'are'} easy to guess, or empty.`,
        why: 'Who guesses it may do what it is for.',
        command: 'openssl rand -base64 32',
        evidence: { weak },
      });
    },
  },
];

async function plainSecrets(context: DoctorContext): Promise<string[]> {
  const places: string[] = [];
  for (const task of await context.tasks()) places.push(...placesIn(task.spec, `task ${task.name}`));
  for (const tool of await context.tools()) places.push(...placesIn(tool, `tool ${tool.address}`));
  const file = findUpward(context.place.cwd, 'pao.config.yaml');
  if (file === null) return places;
  const loaded = await context.config().catch(() => null);
  const named = secretTextsIn(loaded?.config).map(({ pointer }) => `${file} ${pointer}`);
  if (named.length > 0) places.push(...named);
  else if (hasSecretForm(readFileSync(file, 'utf8'))) places.push(file);
  return places;
}

/** Where in a value a secret stands: `task briefing/params/api_key`. */
function placesIn(value: unknown, place: string): string[] {
  if (typeof value === 'string') {
    const field = place.slice(place.lastIndexOf('/') + 1);
    const isReference = /\$\{[^}]*\}/.test(value);
    const isGiven = SECRET_FIELD.test(field) && !isReference && value.length >= SHORT && !/\s/.test(value);
    return isGiven || hasSecretForm(value) ? [place] : [];
  }
  if (value === null || typeof value !== 'object') return [];
  // Names and types of fields, not values.
  if (/\/(input|output)_schema$/.test(place)) return [];
  return Object.entries(value).flatMap(([key, item]) => placesIn(item, `${place}/${key}`));
}

const hasSecretForm = (text: string): boolean => SECRET_FORMS.some((form) => text.search(form) !== -1);

function secretValues(context: DoctorContext): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(serverEnvironment(context)))
    if (name.startsWith('PAO_SECRET_') && value !== undefined) values[name] = value;
  try {
    const file = JSON.parse(readFileSync(context.path('secrets.json'), 'utf8')) as Record<string, unknown>;
    for (const [name, entry] of Object.entries(file)) {
      const value = typeof entry === 'object' ? (entry as { value?: unknown } | null)?.value : entry;
      values[name] = typeof value === 'string' ? value : '';
    }
  } catch {
    // There is none, or it is not readable: files.private and tools.secrets say so.
  }
  return values;
}
