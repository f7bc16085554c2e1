import { notFound } from '../domain/errors.js';
import { nearest } from '../domain/nearest.js';
import type { LocalSecrets } from '../server/secrets/local-secrets.js';
import type { CliProcess } from './cli-config.js';

/** The encrypted store of a data directory, which is made when it is not there. */
export async function openLocalSecrets(
  home: string,
  { env }: Pick<CliProcess, 'env'>,
): Promise<LocalSecrets> {
  const [{ LocalSecrets }, { makeFolder }] = await Promise.all([
    import('../server/secrets/local-secrets.js'),
    import('../server/supervisor/make-folder.js'),
  ]);
  makeFolder(home);
  return new LocalSecrets({ home, environment: env });
}

/** The error for a name that is not in the store, with the nearest that is. */
export async function noSuchSecret(store: LocalSecrets, name: string): Promise<Error> {
  const near = nearest(
    name,
    (await store.list()).map((one) => one.name),
  );
  return notFound('stored secret', name, [
    ...(near === null ? [] : [`Did you mean ${near}?`]),
    'pao secret list',
  ]);
}
