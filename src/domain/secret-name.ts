import { EXIT, PaoError } from './errors.js';

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** Whether a text can be the NAME of `${secrets.NAME}`. */
export const isSecretName = (name: string): boolean => NAME.test(name);

/** A value that is shorter can not be found in a log and hidden there. */
export const SHORTEST_SECRET = 4;

/** @throws PaoError (exit 2, 422) when it can not be the name of a secret. */
export function requireSecretName(name: string): void {
  if (isSecretName(name)) return;
  throw new PaoError('PAO_SECRET_NAME', `"${name.slice(0, 64)}" can not be the name of a secret.`, {
    exitCode: EXIT.usage,
    status: 422,
    hints: ['Use letters, digits and "_", at most 64, not beginning with a digit: TELEGRAM_TOKEN'],
  });
}
