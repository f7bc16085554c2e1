/** One line of the text format: a value with its labels. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** A metric as it is exposed, with its samples. */
export interface Family {
  name: string;
  help: string | null;
  type: 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped' | null;
  samples: Sample[];
}

/** The text can not be read; the message names the line. */
export class ExpositionError extends Error {}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|(?=\}))/;
const VALUE = /^[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|Inf|inf)$|^nan$/i;

/**
 * Reads the Prometheus text exposition format 0.0.4 and holds it to its rules: HELP and TYPE once and before the samples,
 * no series twice, counters never negative, histograms with rising buckets, `+Inf`, sum and count.
 * @throws ExpositionError
 */
export function parseExposition(text: string): Map<string, Family> {
  if (text !== '' && !text.endsWith('\n')) throw new ExpositionError('The last line has no end.');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  const ended = new Set<string>();
  let current: Family | null = null;
  const enter = (name: string): Family => {
    if (current?.name === name) return current;
    if (current !== null) ended.add(current.name);
    if (ended.has(name)) throw new Error(`the lines of ${name} are not together`);
    current = families.get(name) ?? { name, help: null, type: null, samples: [] };
    families.set(name, current);
    return current;
  };
  for (const [index, line] of text.split('\n').entries()) {
    try {
      if (line === '') continue;
      if (line.startsWith('#')) {
        const [, kind, name, rest = ''] = /^# (HELP|TYPE) (\S+)(?: (.*))?$/.exec(line) ?? [];
        if (kind === undefined || name === undefined) continue;
        const family = enter(name);
        if (family.samples.length > 0) throw new Error(`${kind} comes after the samples`);
        if (kind === 'HELP') {
          if (family.help !== null) throw new Error('HELP stands twice');
          family.help = rest.replaceAll('\\n', '\n').replaceAll('\\\\', '\\');
        } else {
          if (family.type !== null) throw new Error('TYPE stands twice');
          if (!/^(counter|gauge|histogram|summary|untyped)$/.test(rest))
            throw new Error(`there is no type ${rest}`);
          family.type = rest as Family['type'];
        }
        continue;
      }
      const sample = parseSample(line);
      const family = enter(familyOf(sample.name, families));
      const key = `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`;
      if (seen.has(key)) throw new Error('the series stands twice');
      seen.add(key);
      if (family.type === 'counter' && sample.value < 0) throw new Error('a counter is negative');
      family.samples.push(sample);
    } catch (error) {
      throw new ExpositionError(`Line ${index + 1}: ${(error as Error).message}: ${line.slice(0, 120)}`);
    }
  }
  for (const family of families.values()) if (family.type === 'histogram') checkHistogram(family);
  return families;
}

function parseSample(line: string): Sample {
  const name = NAME.exec(line)?.[0];
  if (name === undefined) throw new Error('it has no name');
  let rest = line.slice(name.length);
  const labels: Record<string, string> = {};
  if (rest.startsWith('{')) {
    rest = rest.slice(1);
    while (!rest.startsWith('}')) {
      const found = LABEL.exec(rest);
      if (found === null) throw new Error('a label can not be read');
      const [whole, label = '', value = ''] = found;
      if (label in labels) throw new Error(`the label ${label} stands twice`);
      labels[label] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
      rest = rest.slice(whole.length);
    }
    rest = rest.slice(1);
  }
  const [value = '', timestamp, ...more] = rest.trim().split(/\s+/);
  if (!VALUE.test(value) || more.length > 0 || (timestamp !== undefined && !/^-?\d+$/.test(timestamp)))
    throw new Error('the value can not be read');
  return {
    name,
    labels,
    value: /inf/i.test(value) ? (value.startsWith('-') ? -Infinity : Infinity) : Number(value),
  };
}

/** `x_bucket`, `x_sum` and `x_count` belong to the histogram or summary `x`. */
function familyOf(name: string, families: Map<string, Family>): string {
  const base = name.replace(/_(bucket|sum|count)$/, '');
  const type = families.get(base)?.type;
  return base !== name && (type === 'histogram' || type === 'summary') ? base : name;
}

function checkHistogram({ name, samples }: Family): void {
  const series = new Map<string, { buckets: Sample[]; sum: number | null; count: number | null }>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const key = JSON.stringify(Object.entries(labels).sort());
    const one = series.get(key) ?? { buckets: [], sum: null, count: null };
    series.set(key, one);
    if (sample.name === `${name}_bucket`) one.buckets.push(sample);
    else if (sample.name === `${name}_sum`) one.sum = sample.value;
    else if (sample.name === `${name}_count`) one.count = sample.value;
    else throw new ExpositionError(`${sample.name} does not belong to a histogram.`);
  }
  for (const { buckets, sum, count } of series.values()) {
    const last = buckets.at(-1);
    if (last?.labels['le'] !== '+Inf') throw new ExpositionError(`${name} has no bucket +Inf.`);
    if (sum === null || count === null || last.value !== count)
      throw new ExpositionError(`${name}: its count is not that of its last bucket, or it has no sum.`);
    for (const [index, bucket] of buckets.entries()) {
      if (bucket.value < (buckets[index - 1]?.value ?? 0))
        throw new ExpositionError(`${name} has falling buckets.`);
    }
  }
}
