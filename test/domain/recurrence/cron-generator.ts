import fc from 'fast-check';

const field = (least: number, most: number, size: number): fc.Arbitrary<string> => {
  const value = fc.integer({ min: least, max: most });
  const range = fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
  const step = fc.integer({ min: 1, max: size });
  const item = fc.oneof(
    { weight: 5, arbitrary: value.map(String) },
    { weight: 2, arbitrary: range },
    { weight: 1, arbitrary: fc.tuple(range, step).map(([text, by]) => `${text}/${by}`) },
    { weight: 2, arbitrary: step.map((by) => `*/${by}`) },
  );
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    { weight: 5, arbitrary: item },
    { weight: 2, arbitrary: fc.array(item, { minLength: 2, maxLength: 3 }).map((items) => items.join(',')) },
  );
};

const dayOfMonth = fc.oneof(
  { weight: 6, arbitrary: field(1, 31, 31) },
  { weight: 1, arbitrary: fc.constantFrom('L', 'LW', '15W', '1W', '31W', 'L,1', '?', '30,31', '29') },
);
const dayOfWeek = fc.oneof(
  { weight: 6, arbitrary: field(0, 7, 7) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'MON-FRI',
      'sun',
      'FRI-SUN',
      '5L',
      '1#1',
      'fri#3',
      '1#2,3#4',
      '0#5',
      '+1-5',
      '+FRI',
      '?',
    ),
  },
);
const month = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.oneof(
      { weight: 2, arbitrary: fc.constant('*') },
      { weight: 1, arbitrary: field(1, 12, 12) },
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom('jan', 'FEB,aug', 'MAR-MAY') },
);

/** Cron expressions of five fields in croner's grammar; some never fire. */
export const cronExpression: fc.Arbitrary<string> = fc
  .tuple(field(0, 59, 60), field(0, 23, 24), dayOfMonth, month, dayOfWeek)
  .map((fields) => fields.join(' '));

/** Expressions with one or two characters changed: most are invalid, and two readers must agree which. */
export const damagedExpression: fc.Arbitrary<string> = fc
  .tuple(
    cronExpression,
    fc.array(fc.tuple(fc.nat(30), fc.constantFrom(...'*/-,#LW+?07 59xMONjan'.split(''), 'MON', '**', '--')), {
      minLength: 1,
      maxLength: 2,
    }),
  )
  .map(([text, edits]) =>
    edits.reduce((result, [at, insert]) => {
      const place = at % (result.length + 1);
      return result.slice(0, place) + insert + result.slice(place + (at % 2));
    }, text),
  );
