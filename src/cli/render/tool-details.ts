import type { ToolImportObject, ToolObject } from '../../client/api-objects.js';
import { jsonText } from '../json-text.js';
import type { Output } from '../output.js';
import type { Column } from '../table.js';
import { visible } from '../visible.js';

/** Columns of a list of tools. */
export const TOOL_COLUMNS: readonly Column<ToolObject>[] = [
  { header: 'ADDRESS', value: (tool) => tool.address },
  { header: 'KIND', value: (tool) => tool.kind },
  { header: 'SIDE EFFECT', value: (tool) => tool.side_effect },
  { header: 'TITLE', value: (tool) => tool.title ?? tool.description, shrink: true },
];

/** Shows one tool: what it does, what it takes and gives, and how it is reached. */
export function showTool(out: Output, tool: ToolObject): void {
  const pairs: (readonly [string, string])[] = [
    ['Address', tool.address],
    ['Title', visible(tool.title ?? '')],
    ['Kind', tool.kind],
    ['Side effect', tool.side_effect ?? ''],
    ['Timeout', tool.timeout ?? ''],
    ['Grants', (tool.grants ?? []).join(' ')],
    ['Version', String(tool.version ?? '')],
    ['Changed', tool.updated_at ?? ''],
  ];
  out.pairs(pairs.filter(([, value]) => value !== ''));
  if (tool.description) {
    out.line();
    out.line(visible(tool.description, true));
  }
  showBlock(out, 'Input', tool.input_schema);
  showBlock(out, 'Output', tool.output_schema);
  showBlock(out, 'Reached by', tool[tool.kind]);
}

function showBlock(out: Output, title: string, value: unknown): void {
  if (value === undefined) return;
  out.line();
  out.line(out.paint.bold(title));
  out.line(jsonText(value));
}

/** Shows what an import brought, a line for each group of tools. */
export function showImport(out: Output, imported: ToolImportObject): void {
  const groups = new Map<string, ToolImportObject['items']>();
  for (const item of imported.items) {
    const group = item.address.slice(0, item.address.lastIndexOf('.'));
    groups.set(group, [...(groups.get(group) ?? []), item]);
  }
  out.table([...groups], IMPORT_COLUMNS, 'No tool was imported.');
  const { created, replaced } = imported;
  if (imported.items.length > 0) out.success(`Imported ${count(created, 'new tool')}, replaced ${replaced}`);
}

const IMPORT_COLUMNS: readonly Column<[string, ToolImportObject['items']]>[] = [
  { header: 'GROUP', value: ([group]) => group },
  { header: 'KIND', value: ([, items]) => [...new Set(items.map(({ kind }) => kind))].join(' ') },
  { header: 'TOOLS', value: ([, items]) => items.length, align: 'right' },
  {
    header: 'NAMES',
    value: ([group, items]) => items.map(({ address }) => address.slice(group.length + 1)).join(' '),
    shrink: true,
  },
];

/** `1 new tool`, `2 new tools`. */
function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
