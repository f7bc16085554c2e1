import { parser } from '@prometheus-io/lezer-promql';

/** A selector in an expression: a metric, with the labels that are asked for. */
export interface Selector {
  metric: string;
  labels: { name: string; operator: string; value: string }[];
}

/** What an expression is made of, by Prometheus's own grammar. */
export interface ReadExpression {
  selectors: Selector[];
  /** Labels of `by` and `without`. */
  groupings: string[];
  /** Where it can not be read: offsets. */
  errors: number[];
}

/** Reads a PromQL expression. Grafana's variables (`$job`, `$__rate_interval`) are read as values of their kind. */
export function readExpression(expression: string): ReadExpression {
  const text = expression.replaceAll('$__rate_interval', '5m').replaceAll('"$job"', '"pao"');
  const read: ReadExpression = { selectors: [], groupings: [], errors: [] };
  let selector: Selector | null = null;
  let matcher: Selector['labels'][number] | null = null;
  parser.parse(text).iterate({
    enter(node) {
      const words = text.slice(node.from, node.to);
      if (node.type.isError) read.errors.push(node.from);
      else if (node.name === 'VectorSelector') {
        selector = { metric: '', labels: [] };
        read.selectors.push(selector);
      } else if (node.name === 'Identifier' && selector !== null && selector.metric === '')
        selector.metric = words;
      else if (/^(Unquoted|Quoted)LabelMatcher$/.test(node.name)) {
        matcher = { name: '', operator: '', value: '' };
        selector?.labels.push(matcher);
      } else if (node.name === 'LabelName' && matcher === null) read.groupings.push(words);
      else if (node.name === 'LabelName' && matcher !== null) matcher.name = words;
      else if (/^(EqlSingle|Neq|EqlRegex|NeqRegex)$/.test(node.name) && matcher !== null)
        matcher.operator = words;
      else if (node.name === 'StringLiteral' && matcher !== null) matcher.value = words.slice(1, -1);
    },
    leave(node) {
      if (node.name === 'VectorSelector') selector = null;
      if (/^(Unquoted|Quoted)LabelMatcher$/.test(node.name)) matcher = null;
    },
  });
  return read;
}

const TOKEN = /"(?:\\.|[^"\\])*"|[A-Za-z_:][\w:]*|\d+(?:\.\d+)?(?:e[+-]?\d+|[a-z]+)?|\S/g;

/** An expression as Prometheus would tell it apart from others: without white space, numbers written in one way. */
export const normalExpression = (expression: string): string =>
  (expression.match(TOKEN) ?? [])
    .map((token) => (/^\d/.test(token) && Number.isFinite(Number(token)) ? String(Number(token)) : token))
    .join(' ');
