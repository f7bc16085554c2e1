import { randomUUID } from 'node:crypto';
import type { DeliveryMessage } from '../../domain/delivery.js';
import { REDACTED } from '../../domain/redact.js';

/** A mark that nothing from outside can know. */
export const newSecretMark = (): string => `pao-secret:${randomUUID()}:`;

/** What stands for a secret in a message until it is sent. */
export const secretPlace = (mark: string, name: string): string => `${mark}${name};`;

/** The input with each secret in its place. @param values by name. */
export function fillSecrets(message: DeliveryMessage, values: ReadonlyMap<string, string>): unknown {
  const { secrets, input } = message;
  if (secrets === undefined) return input;
  return mapTexts(input, (text) =>
    secrets.names.reduce(
      (filled, name) => filled.replaceAll(secretPlace(secrets.mark, name), values.get(name) ?? ''),
      text,
    ),
  );
}

/** The input as it may be shown. */
export function hideSecrets(message: DeliveryMessage): unknown {
  return fillSecrets(message, new Map(message.secrets?.names.map((name) => [name, REDACTED])));
}

function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, change)]));
}
