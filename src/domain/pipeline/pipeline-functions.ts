import { createHash } from 'node:crypto';
import { DateTime } from 'luxon';
import { canonicalJson, parseJsonStrict } from '../json.js';
import { PaoError } from '../errors.js';
import { ExpressionEvaluationError } from './expression/expression-error.js';
import type { ExpressionFunction, FunctionTable } from './expression/functions.js';
import { STANDARD_FUNCTIONS, toText } from './expression/standard-functions.js';
import { addDuration, formatLocal, localDayOf, readInstant } from './instants.js';

const STRING = ['string'] as const;
const ANY = ['any'] as const;

/** Every function an expression of a pipeline may call: those of JMESPath and pao's own (product.md). */
export const PIPELINE_FUNCTIONS: FunctionTable = new Map<string, ExpressionFunction>([
  ...STANDARD_FUNCTIONS,
  [
    'date_add',
    {
      args: [STRING, STRING],
      run: ({ zone }, instant: string, duration: string) =>
        formatLocal(addDuration(readInstant(instant, zone), duration, zone), zone),
    },
  ],
  [
    'start_of_day',
    {
      args: [STRING],
      run: ({ zone }, instant: string) =>
        formatLocal(localDayOf(readInstant(instant, zone), zone).startAt, zone),
    },
  ],
  [
    'end_of_day',
    {
      args: [STRING],
      run: ({ zone }, instant: string) =>
        formatLocal(localDayOf(readInstant(instant, zone), zone).endAt, zone),
    },
  ],
  [
    'format_date',
    {
      args: [STRING, STRING],
      run: ({ zone }, instant: string, format: string) => {
        if (format.length > 100) {
          throw new ExpressionEvaluationError('format_date(): the format is longer than 100', 'limit');
        }
        return DateTime.fromMillis(readInstant(instant, zone), { zone, locale: 'en-US' }).toFormat(format);
      },
    },
  ],
  [
    'hash',
    {
      args: [ANY],
      run: ({ budget }, value: unknown) => {
        budget.walk(value);
        return createHash('sha256').update(canonicalJson(value)).digest('hex');
      },
    },
  ],
  [
    'to_json',
    {
      args: [ANY],
      run: ({ budget }, value: unknown) =>
        typeof value === 'string' ? JSON.stringify(value) : toText(budget, value),
    },
  ],
  [
    'from_json',
    {
      args: [STRING],
      run: ({ budget }, text: string) => {
        budget.text(text.length);
        try {
          return parseJsonStrict(text);
        } catch (error) {
          if (!(error instanceof PaoError)) throw error;
          throw new ExpressionEvaluationError(`from_json(): ${error.message.replace(/\.$/, '')}`, 'value');
        }
      },
    },
  ],
  [
    'shorten',
    {
      args: [STRING, ['number']],
      run: ({ budget }, text: string, most: number) => {
        if (!Number.isInteger(most) || most < 1) {
          throw new ExpressionEvaluationError(
            'shorten(): the length must be a whole number above 0',
            'value',
          );
        }
        budget.text(text.length);
        if (text.length <= most) return text;
        const points = [...text.slice(0, 2 * most + 2)];
        return points.length <= most ? text : `${points.slice(0, most - 1).join('')}…`;
      },
    },
  ],
  ['default', { args: [ANY, ANY], run: (_, value: unknown, other: unknown) => value ?? other }],
]);
