import type { SecretObject } from '../client/api-objects.js';
import { PaoError } from '../domain/errors.js';
import { Redactor } from '../domain/redact.js';
import type { CliProcess } from './cli-config.js';
import type { Connection } from './connection.js';

/** Secrets as the server knows them; where none runs, those of a data directory and of this shell. */
export async function listSecrets(
  connection: () => Connection,
  home: string,
  process: Pick<CliProcess, 'env' | 'cwd' | 'signal'>,
): Promise<SecretObject[]> {
  const { PaoClient } = await import('../client/pao-client.js');
  try {
    return (await new PaoClient(connection()).listSecrets({ signal: process.signal })).items;
  } catch (error) {
    if (!(error instanceof PaoError) || error.code !== 'PAO_UNREACHABLE') throw error;
    return listOfPlace(home, process);
  }
}

async function listOfPlace(
  home: string,
  { env, cwd }: Pick<CliProcess, 'env' | 'cwd'>,
): Promise<SecretObject[]> {
  const [{ createSecretSource }, { loadConfig, secretSettings }] = await Promise.all([
    import('../server/tools/secrets.js'),
    import('../server/config.js'),
  ]);
  const { config } = await loadConfig({ env, cwd });
  const source = createSecretSource({
    home,
    environment: env,
    ...secretSettings(config),
    redactor: new Redactor(),
  });
  return (await source.list()).map(({ updatedAt, ...one }) => ({ ...one, updated_at: updatedAt }));
}
