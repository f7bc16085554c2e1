import { execFile } from 'node:child_process';
import { EXIT, PaoError } from '../../domain/errors.js';

/** A command answers with one value; more than this is a mistake. */
const MAX_BYTES = 64 * 1024;
/** What the command has no business with: our own secrets. */
const WITHHELD =
  /^(PAO_(SECRET_.*|SECRETS_PASSPHRASE.*|TOKEN)|DATABASE_(DIRECT_)?URL|REDIS_URL|NODE_OPTIONS)$/;

/**
 * Asks a program of the operating system for a secret, such as `pass show mail/token`. It is started as it is written,
 * never through a shell; what it prints, without the last line break, is the value.
 * @throws PaoError PAO_SECRET_COMMAND; what the program printed is not repeated.
 */
export async function secretFromCommand(
  name: string,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  timeoutMs: number,
): Promise<string> {
  const [program = '', ...args] = argv;
  const env = Object.fromEntries(Object.entries(environment).filter(([key]) => !WITHHELD.test(key)));
  const failed = (what: string) =>
    new PaoError('PAO_SECRET_COMMAND', `The command for the secret ${name} (${program}) ${what}.`, {
      exitCode: EXIT.unavailable,
      hints: [`Try it yourself: ${argv.join(' ')}`],
    });
  const value = await new Promise<string>((resolve, reject) => {
    const child = execFile(
      program,
      args,
      {
        env,
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: MAX_BYTES,
        encoding: 'utf8',
        shell: false,
      },
      (error, stdout) => {
        if (error === null) resolve(stdout);
        else if (error.code === 'ENOENT') reject(failed('is not there'));
        else if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') reject(failed('prints too much'));
        else if (error.killed === true) reject(failed(`did not answer within ${timeoutMs} ms`));
        else reject(failed(`failed (${error.code ?? error.signal ?? 'unknown'})`));
      },
    );
    // Nobody is there to type a passphrase.
    child.stdin?.end();
  });
  const plain = value.replace(/\r?\n$/, '');
  if (plain === '') throw failed('printed nothing');
  return plain;
}
