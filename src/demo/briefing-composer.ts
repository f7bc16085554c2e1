/** The briefing that is built from the data of a prompt, without a language model. */
export interface ComposedBriefing {
  text: string;
  mustDos: string[];
}

type Data = Record<string, unknown>;

const MAX_MUST_DOS = 3;
const URGENT = /\b(urgent|deadline|due|overdue|sign|contract|invoice|review|today|asap|numbers|final)/i;

/** Weather codes of the WMO, in words; https://open-meteo.com/en/docs. */
const SKIES: [number, string][] = [
  [0, 'clear sky'],
  [3, 'clouds'],
  [48, 'fog'],
  [57, 'drizzle'],
  [67, 'rain'],
  [77, 'snow'],
  [82, 'rain showers'],
  [86, 'snow showers'],
  [99, 'thunderstorms'],
];

/**
 * Writes a plan of the day by fixed rules from the JSON inside the `<data>` blocks of a prompt: `events`, `weather`
 * (Open-Meteo `daily`), `mail`, `page`, `runs`, `timezone`. What stands in a mail is quoted and never obeyed.
 * @param prompt all messages of the conversation, joined.
 */
export function composeBriefing(prompt: string): ComposedBriefing {
  const data = readData(prompt);
  const timezone = typeof data.timezone === 'string' ? data.timezone : 'UTC';
  const events = records(data.events);
  const mail = records(data.mail);
  const agenda = events.map(
    (event) => `- ${when(event, timezone)} ${event.summary}${event.location ? ` (${event.location})` : ''}`,
  );
  const letters = mail.map((email) => `- ${sender(email.from)}: ${email.subject}`);
  const urgentMail = mail.filter((email) => URGENT.test(String(email.subject)));
  const text = [
    describeWeather(data.weather),
    data.page === undefined ? null : describePage(data.page),
    agenda.length > 0
      ? `Agenda:\n${agenda.join('\n')}`
      : data.events === undefined
        ? null
        : 'Nothing in the calendar.',
    letters.length > 0 ? `Unread mail:\n${letters.join('\n')}` : null,
    data.runs === undefined ? null : describeRuns(records(data.runs)),
  ]
    .filter((part) => part !== null)
    .join('\n\n');
  const mustDos = [
    ...records(data.runs).map((run) => `Look at: ${run.task_name} (${run.status})`),
    ...events
      .filter((event) => event.all_day !== true)
      .map((event) => `Be at: ${event.summary}, ${when(event, timezone)}`),
    ...(urgentMail.length > 0 ? urgentMail : mail).map((email) => `Answer: ${email.subject}`),
  ];
  // The calendar must not crowd out the one letter that matters.
  const lastIsMail = mustDos.length > MAX_MUST_DOS && mail.length > 0;
  const chosen = lastIsMail
    ? [...mustDos.slice(0, MAX_MUST_DOS - 1), `Answer: ${(urgentMail[0] ?? mail[0])?.subject}`]
    : mustDos.slice(0, MAX_MUST_DOS);
  return { text, mustDos: chosen };
}

/** Collects the JSON of every `<data>` block; a `name` attribute becomes a key. */
function readData(prompt: string): Data {
  const data: Data = {};
  // A sentence may speak of <data>; the block is what lies between a closing tag and the nearest opening one before it.
  for (const [, attributes = '', content = ''] of prompt.matchAll(
    /<data([^>]*)>((?:(?!<data)[\s\S])*?)<\/data>/g,
  )) {
    try {
      const value: unknown = JSON.parse(content);
      const name = /name="([^"]+)"/.exec(attributes)?.[1];
      if (name) data[name] = value;
      else if (typeof value === 'object' && value !== null) Object.assign(data, value);
    } catch {
      // Text that is no JSON has nothing these rules could use.
    }
  }
  return data;
}

const records = (value: unknown): Data[] =>
  Array.isArray(value) ? value.filter((item): item is Data => typeof item === 'object' && item !== null) : [];

/** The text of a page without its marks. */
const describePage = (page: unknown): string =>
  `The page says: ${String(page)
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 300)}`;

const describeRuns = (runs: Data[]): string =>
  runs.length === 0
    ? 'Everything worked.'
    : `Did not work:\n${runs.map((run) => `- ${run.task_name}: ${run.status} (${run.reason ?? '-'})`).join('\n')}`;

const sender = (from: unknown): string =>
  String(from)
    .replace(/\s*<[^>]*>\s*$/, '')
    .replace(/^"|"$/g, '');

function when(event: Data, timezone: string): string {
  if (event.all_day === true) return 'all day:';
  const start = Date.parse(String(event.start));
  if (Number.isNaN(start)) return String(event.start);
  try {
    return new Intl.DateTimeFormat('en-GB', { timeStyle: 'short', timeZone: timezone }).format(start);
  } catch {
    return `${new Date(start).toISOString().slice(11, 16)}Z`;
  }
}

function describeWeather(weather: unknown): string | null {
  if (typeof weather !== 'object' || weather === null) return null;
  const first = (name: string): number | undefined => {
    const values = (weather as Data)[name];
    const value: unknown = Array.isArray(values) ? values[0] : undefined;
    return typeof value === 'number' ? value : undefined;
  };
  const [low, high, rain, code] = [
    first('temperature_2m_min'),
    first('temperature_2m_max'),
    first('precipitation_probability_max'),
    first('weather_code'),
  ];
  const parts = [
    code === undefined ? null : (SKIES.find(([limit]) => code <= limit)?.[1] ?? null),
    low === undefined || high === undefined ? null : `${low} to ${high} °C`,
    rain === undefined ? null : `${rain} % chance of precipitation`,
  ].filter((part) => part !== null);
  return parts.length === 0 ? null : `Weather: ${parts.join(', ')}.`;
}
