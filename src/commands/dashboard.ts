import { BaseCommand } from '../cli/base-command.js';
import { Flags } from '../cli/flags.js';
import { hasScreen, openBrowser } from '../cli/open-browser.js';
import { PaoClient } from '../client/pao-client.js';
import { ApiError } from '../client/problem-error.js';
import { LINK_SECONDS, LINK_TOKEN } from '../domain/dashboard-token.js';
import { cut, EXIT, PaoError } from '../domain/errors.js';

/** Where the dashboard is, and a way in. */
interface DashboardDocument {
  url: string;
  /** Signs in whoever follows it, once; null when this token may not make one. */
  link: string | null;
  expires_at: string | null;
  opened: boolean;
}

/** @throws PaoError (exit 2) for what is no address of a server. */
function addressOf(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol))
    return text.replace(/[?#].*$/, '').replace(/\/+$/, '');
  throw new PaoError('PAO_URL_INVALID', `"${cut(text, 80)}" is not the URL of a server.`, {
    exitCode: EXIT.usage,
    hints: ['pao dashboard --at https://pao.example.org'],
  });
}

/** Opens the dashboard, signed in. */
export default class Dashboard extends BaseCommand<typeof Dashboard> {
  static override summary = 'Open the dashboard in the browser, signed in';
  static override description =
    'Prints a link that signs in once, within five minutes, as the agent of your token, and opens it where there is a screen. The tab stays signed in for 12 hours.';
  static override examples = [
    '<%= config.bin %> dashboard',
    '<%= config.bin %> dashboard --no-open',
    '<%= config.bin %> dashboard --no-open --at https://pao.example.org',
  ];
  static override flags = {
    at: Flags.custom<string>({
      summary: 'Make the link for another address of this pao, such as the one your phone comes by',
      helpValue: 'URL',
      parse: async (text) => addressOf(text),
    })(),
    open: Flags.boolean({
      summary: 'Open the browser; without it only at a terminal with a screen',
      allowNo: true,
    }),
  };

  async run(): Promise<DashboardDocument> {
    const connection = this.connection();
    const url = `${this.flags.at ?? connection.url}/`;
    const made = await this.#makeLink(new PaoClient(connection), url);
    const wanted = this.flags.open as boolean | undefined;
    const { env, stdout } = this.process;
    const opens = wanted ?? (Boolean(stdout.isTTY) && !this.jsonEnabled() && hasScreen(env));
    const opened = opens && (await openBrowser(made?.link ?? url, env));
    this.out.line(made?.link ?? url);
    if (made !== null) this.out.note('It signs in once, within 5 minutes.');
    if (opened) this.out.note('It was opened in the browser.');
    else if (wanted === true) {
      throw new PaoError('PAO_NO_BROWSER', 'No browser could be opened here.', {
        exitCode: EXIT.unavailable,
        hints: ['pao dashboard --no-open'],
      });
    }
    return { url, link: made?.link ?? null, expires_at: made?.expires_at ?? null, opened };
  }

  /** Only an administrator makes tokens; others hand theirs to the page themselves. */
  async #makeLink(
    client: PaoClient,
    url: string,
  ): Promise<{ link: string; expires_at: string | null } | null> {
    try {
      const { secret, expires_at } = await client.createToken(
        'me',
        { label: LINK_TOKEN, expires_in_seconds: LINK_SECONDS },
        { signal: this.signal },
      );
      return { link: `${url}#token=${secret}`, expires_at };
    } catch (error) {
      if (!(error instanceof ApiError && error.httpStatus === 403)) throw error;
      this.out.note('Your token can not make one for the browser: paste it where the page asks.');
      return null;
    }
  }
}
