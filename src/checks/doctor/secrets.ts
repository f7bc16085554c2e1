import { PaoError } from '../../domain/errors.js';
import { Redactor } from '../../domain/redact.js';
import { secretSettings } from '../../server/config.js';
import { LocalSecrets } from '../../server/secrets/local-secrets.js';
import { createSecretSource, type SecretSource } from '../../server/tools/secrets.js';
import type { DoctorContext } from './context.js';
import { broken, type DoctorCheck } from './finding.js';
import { serverEnvironment } from './server-environment.js';

export const secretStoreChecks: readonly DoctorCheck[] = [
  {
    id: 'secrets.store',
    title: 'The stored secrets can be opened',
    group: 'Files',
    async run(context) {
      const store = localSecretsOf(context);
      try {
        const lockedWith = await store.lockedWith();
        if (lockedWith === null) return { secrets: 0 };
        return { secrets: (await store.readAll()).size, locked_with: lockedWith };
      } catch (error) {
        if (!(error instanceof PaoError)) throw error;
        throw broken({
          what: error.message,
          why: 'Every call that needs a stored secret fails.',
          command: error.hints.find((hint) => !hint.startsWith('pao doctor')) ?? 'pao secret list',
          evidence: { code: error.code },
        });
      }
    },
  },
];

const localSecretsOf = (context: DoctorContext) =>
  new LocalSecrets({ home: context.place.home, environment: serverEnvironment(context) });

/** Values of the encrypted store; none when it can not be opened, of which `secrets.store` speaks. */
export async function storedValues(context: DoctorContext): Promise<Map<string, string>> {
  const all = await localSecretsOf(context)
    .readAll()
    .catch(() => new Map<string, { value: string }>());
  return new Map([...all].map(([name, { value }]) => [name, value]));
}

/** Every secret that the server of this place can find. */
export async function secretsOf(
  context: DoctorContext,
  redactor = new Redactor(),
): Promise<Pick<SecretSource, 'resolve' | 'names'>> {
  const loaded = await context.config().catch(() => null);
  return createSecretSource({
    home: context.place.home,
    environment: serverEnvironment(context),
    ...(loaded === null ? {} : secretSettings(loaded.config)),
    redactor,
  });
}
