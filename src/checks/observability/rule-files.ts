import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { METRIC_PREFIX, METRICS } from '../../domain/observability/catalogue.js';
import { readExpression } from './promql.js';

export interface Rule {
  record?: string;
  alert?: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface Dashboard {
  file: string;
  uid: string;
  title: string;
  schemaVersion: number;
  panels: { id: number; title: string; type: string; targets?: { expr: string; refId: string }[] }[];
  templating: { list: { name: string }[] };
}

export const rulesFile = (root: string): string => join(root, 'ops', 'prometheus', 'rules.yml');

/** The rules as shipped. */
export function shippedRules(root: string): Rule[] {
  const { groups } = parse(readFileSync(rulesFile(root), 'utf8')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** The Grafana dashboards as shipped. */
export function shippedDashboards(root: string): Dashboard[] {
  const folder = join(root, 'ops', 'grafana');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => ({ file, ...JSON.parse(readFileSync(join(folder, file), 'utf8')) }) as Dashboard);
}

/** Labels that Prometheus adds itself. */
const SCRAPE_LABELS = ['job', 'instance', 'le', 'alertname', 'alertstate'];
/** What Node and the process say by their usual names. */
const USUAL = /^(process|nodejs)_/;

/**
 * What is wrong with an expression: it can not be read, names a metric that nobody exposes, or a label or a value of a label
 * that the metric never has. Such a rule or panel is silent for ever and nobody notices.
 * @param records names of recording rules.
 */
export function contractProblems(expression: string, records: ReadonlySet<string>): string[] {
  const { selectors, errors } = readExpression(expression);
  const problems = errors.map((at) => `can not be read at ${at}`);
  for (const { metric, labels } of selectors) {
    if (records.has(metric) || USUAL.test(metric) || metric === 'up' || metric === 'ALERTS') continue;
    const definition = METRICS.find(({ name, type }) =>
      type === 'histogram'
        ? new RegExp(`^${METRIC_PREFIX}${name}_(bucket|sum|count)$`).test(metric)
        : `${METRIC_PREFIX}${name}` === metric,
    );
    if (definition === undefined) {
      problems.push(`names ${metric === '' ? 'no metric' : metric}, which nobody exposes`);
      continue;
    }
    for (const { name, operator, value } of labels) {
      if (SCRAPE_LABELS.includes(name)) continue;
      const values = definition.labels[name];
      if (values === undefined) problems.push(`${metric} has no label ${name}`);
      else if (values !== null && (operator === '=' || operator === '!=') && !values.includes(value))
        problems.push(`the label ${name} of ${metric} is never ${value}`);
      else if (values !== null && (operator === '=~' || operator === '!~')) {
        for (const one of value.split('|'))
          if (!values.some((known) => new RegExp(`^(?:${one})$`).test(known)))
            problems.push(`the label ${name} of ${metric} is never ${one}`);
      }
    }
  }
  return problems;
}

/** What is wrong with the shipped rules: contract, what a person needs to know, a page for each alert. */
export function ruleProblems(root: string, rules: Rule[] = shippedRules(root)): string[] {
  const records = new Set(rules.flatMap(({ record }) => (record === undefined ? [] : [record])));
  const problems: string[] = [];
  for (const rule of rules) {
    const name = rule.alert ?? rule.record ?? '?';
    for (const problem of contractProblems(rule.expr, records)) problems.push(`${name}: ${problem}`);
    if (rule.alert === undefined) continue;
    if (rule.for === undefined) problems.push(`${name} has no for`);
    if (!/^(critical|warning|info|none)$/.test(rule.labels?.['severity'] ?? ''))
      problems.push(`${name} has no severity`);
    for (const field of ['summary', 'description', 'runbook_url'])
      if (!rule.annotations?.[field]) problems.push(`${name} has no ${field}`);
    const page = join(root, rule.annotations?.['runbook_url'] ?? 'missing');
    if (!existsSync(page)) problems.push(`${name} has no page ${rule.annotations?.['runbook_url']}`);
    else if (!/`pao [a-z]/.test(readFileSync(page, 'utf8')))
      problems.push(`the page of ${name} names no command of pao`);
  }
  return problems;
}

/** What is wrong with the shipped dashboards. */
export function dashboardProblems(root: string, dashboards: Dashboard[] = shippedDashboards(root)): string[] {
  const records = new Set(shippedRules(root).flatMap(({ record }) => (record === undefined ? [] : [record])));
  const problems: string[] = [];
  const uids = new Set<string>();
  for (const { file, uid, title, schemaVersion, panels, templating } of dashboards) {
    if (uids.has(uid)) problems.push(`${file}: the uid ${uid} stands twice`);
    uids.add(uid);
    if (!title || !(schemaVersion >= 36)) problems.push(`${file} has no title or an old schema`);
    if (!templating.list.some(({ name }) => name === 'datasource'))
      problems.push(`${file} has no data source variable`);
    const ids = panels.map(({ id }) => id);
    if (new Set(ids).size !== ids.length) problems.push(`${file}: panel ids are not unique`);
    for (const panel of panels) {
      if (!panel.targets?.length) problems.push(`${file}: ${panel.title} asks for nothing`);
      for (const { expr } of panel.targets ?? [])
        for (const problem of contractProblems(expr, records))
          problems.push(`${file}: ${panel.title}: ${problem}`);
    }
  }
  return problems;
}
