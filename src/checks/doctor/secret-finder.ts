import { readFileSync } from 'node:fs';
import { REDACTED, Redactor } from '../../domain/redact.js';
import { secretTextsIn } from '../../domain/secret-fields.js';
import type { DoctorContext } from './context.js';
import { storedValues } from './secrets.js';
import { serverEnvironment } from './server-environment.js';

/** Names of variables whose values are nobody's business. */
const SECRET_NAME = /TOKEN|SECRET|PASSW|_KEY|APIKEY|CREDENTIAL|AUTH|DSN/i;
/** Texts that are secrets by their form, whoever's they are. */
export const SECRET_FORMS: readonly RegExp[] = [
  /\bpao_[aobw]_[0-9A-Za-z]{20,}/g,
  /\b(?:sk|rk|pk)-[A-Za-z0-9_-]{16,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{20,}/g,
  /\bgithub_pat_[A-Za-z0-9_]{20,}/g,
  /\bxox[abprs]-[A-Za-z0-9-]{10,}/g,
  /\bAKIA[0-9A-Z]{16}\b/g,
  /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*/g,
  /\b\d{8,10}:[A-Za-z0-9_-]{35}\b/g,
  /(?<=\b(?:Bearer|Basic) )[A-Za-z0-9._~+/=-]{8,}/gi,
  /(?<=:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
];

/** A function that takes every secret that is known here, and what looks like one, out of a text. */
export async function secretFinder(context: DoctorContext): Promise<(text: string) => string> {
  const redactor = new Redactor();
  const register = (value: unknown) => {
    if (typeof value === 'string') redactor.register(value);
  };
  for (const [name, value] of Object.entries({ ...context.place.env, ...serverEnvironment(context) })) {
    if (SECRET_NAME.test(name)) register(value);
    registerUrl(value, register);
  }
  const loaded = await context.config().catch(() => null);
  for (const url of [loaded?.config.database_url, loaded?.config.redis_url]) registerUrl(url, register);
  // Also where nothing about it looks like a secret: `secret: topsecret` of a channel.
  for (const { text } of secretTextsIn(loaded?.config)) register(text);
  register(readJson(context.path('credentials.json'))?.['token']);
  for (const entry of Object.values(readJson(context.path('secrets.json')) ?? {}))
    register(typeof entry === 'object' ? (entry as { value?: unknown } | null)?.value : entry);
  for (const value of (await storedValues(context)).values()) register(value);
  return (text) =>
    SECRET_FORMS.reduce((hidden, form) => hidden.replace(form, REDACTED), redactor.redactText(text));
}

function registerUrl(text: string | undefined, register: (value: unknown) => void): void {
  if (text === undefined || !text.includes('@') || !URL.canParse(text)) return;
  const { password } = new URL(text);
  register(password);
  try {
    register(decodeURIComponent(password));
  } catch {
    // As it stands is all it can be.
  }
}

function readJson(file: string): Record<string, unknown> | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  } catch {
    return null;
  }
}
