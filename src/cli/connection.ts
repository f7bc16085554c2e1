import { readFileSync } from 'node:fs';
import { cut, EXIT, PaoError } from '../domain/errors.js';
import { dataDirectory, type HomeSituation, readCredentials } from './home.js';

/** Where commands find the server when nothing says otherwise. */
export const DEFAULT_URL = 'http://127.0.0.1:8080';

/** What a command that talks to a server was told. */
export interface ConnectionRequest extends HomeSituation {
  /** `--url`, which oclif also fills from PAO_URL. */
  url?: string | undefined;
  /** `--token-file`. */
  tokenFile?: string | undefined;
}

/** The server to talk to. `token` is null when none was found: the server will say that it wants one. */
export interface Connection {
  url: string;
  token: string | null;
  /** A sentence that says what the address comes from: it stands behind "No server answers at …". */
  from: string;
}

/**
 * Finds the server and the token: flag, environment, then `credentials.json` of the data directory.
 * The stored token is only used for the server it was made for, so `--url` never sends it elsewhere.
 * @throws PaoError with exit code 2 for a malformed URL or an empty token, 4 for credentials others can read.
 */
export function findConnection(request: ConnectionRequest): Connection {
  const given = request.url === undefined ? null : checkUrl(request.url);
  const token = givenToken(request);
  const told = `The address is that of ${request.url === request.env['PAO_URL'] ? 'PAO_URL' : '--url'}.`;
  if (given !== null && token !== null) return { url: given, token, from: told };
  const home = dataDirectory(request);
  const stored = readCredentials(home);
  const url = given ?? (stored ? checkUrl(stored.url) : DEFAULT_URL);
  const from = given !== null ? told : whereLooked(home, stored !== null, request);
  if (token !== null) return { url, token, from };
  return { url, token: stored && sameOrigin(stored.url, url) ? stored.token : null, from };
}

/** Another data directory is another server: which one was looked in is half of why none answers. */
function whereLooked(home: string, isThere: boolean, { env }: ConnectionRequest): string {
  const why = env['PAO_HOME'] ? 'PAO_HOME' : 'PAO_HOME sets another';
  return isThere
    ? `The address is that of the data directory ${home} (${why}).`
    : `That is the usual address: none is kept in the data directory ${home} (${why}).`;
}

function givenToken({ tokenFile, env }: ConnectionRequest): string | null {
  if (tokenFile !== undefined) {
    let text: string;
    try {
      text = readFileSync(tokenFile, 'utf8');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new PaoError('PAO_TOKEN_FILE', `The token file ${tokenFile} cannot be read (${code}).`, {
        exitCode: EXIT.usage,
        hints: [`ls -l ${tokenFile}`],
        cause: error,
      });
    }
    return notEmpty(text.trim(), `The token file ${tokenFile}`);
  }
  const token = env['PAO_TOKEN'];
  return token === undefined || token === '' ? null : notEmpty(token.trim(), 'PAO_TOKEN');
}

function notEmpty(token: string, where: string): string {
  if (token !== '' && !/\s/.test(token)) return token;
  throw new PaoError('PAO_TOKEN_INVALID', `${where} does not hold one token.`, {
    exitCode: EXIT.usage,
    hints: ['A token looks like pao_…; pao agent create NAME makes one'],
  });
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) {
    return url.href.replace(/\/+$/, '');
  }
  throw new PaoError('PAO_URL_INVALID', `"${cut(text, 80)}" is not the URL of a server.`, {
    exitCode: EXIT.usage,
    hints: [`Write it as ${DEFAULT_URL}`],
  });
}

/** `localhost` and `127.0.0.1` are the same server to a person. */
function sameOrigin(stored: string, url: string): boolean {
  if (!URL.canParse(stored)) return false;
  const [a, b] = [new URL(stored), new URL(url)];
  const host = (name: string) => (name === 'localhost' ? '127.0.0.1' : name);
  return a.protocol === b.protocol && a.port === b.port && host(a.hostname) === host(b.hostname);
}
