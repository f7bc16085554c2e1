import { Box, Text, useInput } from 'ink';
import { type ReactNode, useSyncExternalStore } from 'react';
import wrapAnsi from 'wrap-ansi';
import type { Output } from '../output.js';
import { machineTime } from '../render/task-time.js';
import { visible } from '../visible.js';
import type { TopActions } from './actions.js';
import { healthLine, numbersLine } from './headline.js';
import { handleKey, KEYS, single } from './keys.js';
import { isWide, place } from './layout.js';
import { columnLines, type ScreenLine } from './lines.js';
import type { TopState, TopStore } from './state.js';

/** Lines above and below what scrolls: two of numbers, a rule, and the foot. */
const FRAME = 4;
const GUTTER = 3;

export interface DashboardProps {
  store: TopStore;
  actions: TopActions;
  out: Output;
}

/** The whole screen, one line less than the terminal has: Ink ends what it draws with a line feed. */
export function Dashboard({ store, actions, out }: DashboardProps): ReactNode {
  const state = useSyncExternalStore(store.subscribe, () => store.state);
  const height = Math.max(1, state.rows - 1 - FRAME);
  useInput((input, key) => {
    for (const [one, its] of single(input, key)) handleKey(store, actions, one, its, height);
  });
  return (
    <Box flexDirection="column" width={state.columns} height={Math.max(2, state.rows - 1)} overflow="hidden">
      <Headline state={state} out={out} />
      <Line text={middleLine(state, out)} />
      <Box height={height} overflow="hidden">
        <Body state={state} out={out} height={height} />
      </Box>
      <Line text={footLine(state, out)} />
    </Box>
  );
}

function Line({ text, isSelected = false }: ScreenLine): ReactNode {
  return (
    <Text wrap="truncate-end" inverse={isSelected}>
      {text === '' ? ' ' : text}
    </Text>
  );
}

function Headline({ state: { snapshot, lost, columns }, out }: { state: TopState; out: Output }): ReactNode {
  const { paint, symbols } = out;
  const time = machineTime(snapshot.at).split(' ').slice(4).join(' ');
  const left = healthLine(snapshot, paint, lost);
  const hasRoom = columns >= 100;
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Box justifyContent="space-between" width={columns}>
        <Line text={hasRoom ? left : left.replace(/, up .*$/, '')} />
        <Box flexShrink={0} marginLeft={1}>
          <Line text={paint.dim(time)} />
        </Box>
      </Box>
      <Line text={numbersLine(snapshot, paint, symbols.bullet)} />
    </Box>
  );
}

/** The rule under the numbers, or what is wrong with what is shown. */
function middleLine({ lost, filter, mode, columns }: TopState, { paint, symbols }: Output): string {
  if (lost !== null) return paint.red(`${symbols.fail} ${lost.message} As of ${lost.since}; trying again.`);
  const title =
    mode.kind === 'details' ? mode.row.name : filter === '' ? '' : `only what has "${visible(filter)}" in it`;
  if (title === '') return paint.dim(symbols.line.repeat(columns));
  return `${paint.dim(symbols.line.repeat(2))} ${title} ${paint.dim(symbols.line.repeat(Math.max(0, columns - 4 - title.length)))}`;
}

function Body({ state, out, height }: { state: TopState; out: Output; height: number }): ReactNode {
  const { mode, sections, selected, columns } = state;
  if (mode.kind === 'help')
    return (
      <Lines lines={KEYS.map(([key, what]) => ({ text: ` ${key.padEnd(16)} ${out.paint.dim(what)}` }))} />
    );
  if (mode.kind === 'question' && mode.question.about !== undefined)
    return <Lines lines={detailLines(mode.question.about, mode.scroll, columns, height)} />;
  const shown = mode.kind === 'question' ? mode.before : mode;
  if (shown.kind === 'details')
    return <Lines lines={detailLines(shown.text, shown.scroll, columns, height)} />;
  if (!isWide(columns))
    return <Lines lines={columnLines(place(sections, height, selected), columns, selected, out)} />;
  const width = Math.floor((columns - GUTTER) / 2);
  const column = (side: 'left' | 'right') =>
    columnLines(
      place(
        sections.filter((section) => section.column === side),
        height,
        selected,
      ),
      width,
      selected,
      out,
    );
  return (
    <Box columnGap={GUTTER}>
      <Box width={width}>
        <Lines lines={column('left')} />
      </Box>
      <Box width={width}>
        <Lines lines={column('right')} />
      </Box>
    </Box>
  );
}

function Lines({ lines }: { lines: readonly ScreenLine[] }): ReactNode {
  return (
    <Box flexDirection="column">
      {lines.map((line, index) => (
        // oxlint-disable-next-line react/no-array-index-key -- a line is where it is
        <Line key={index} {...line} />
      ))}
    </Box>
  );
}

function detailLines(text: string | null, scroll: number, columns: number, height: number): ScreenLine[] {
  if (text === null) return [{ text: ' Asking the server' }];
  const lines = wrapAnsi(text.trimEnd(), Math.max(20, columns - 2), { hard: true, trim: false }).split('\n');
  const from = Math.max(0, Math.min(scroll, lines.length - height));
  const isLast = from + height >= lines.length;
  const shown = lines
    .slice(from, isLast ? undefined : from + height - 1)
    .map((line) => ({ text: ` ${line}` }));
  return isLast ? shown : [...shown, { text: ` ${lines.length - from - height + 1} more lines` }];
}

/** What keys there are, what was typed, what is asked, or what became of the last key. */
function footLine({ mode, filter, notice, lost, columns }: TopState, out: Output): string {
  const { paint, symbols } = out;
  if (mode.kind === 'filter')
    return `${paint.cyan('/')}${visible(filter)}${paint.dim('_  Enter keeps it, Esc shows all')}`;
  if (mode.kind === 'question') {
    const answers = mode.question.answers.map(({ key, label }) => `${key} ${label}`).join(', ');
    const offer = ` [${answers}, Esc ${mode.question.leave}]`;
    const room = Math.max(10, columns - offer.length - 1);
    const { text } = mode.question;
    return `${paint.yellow(text.length > room ? `${text.slice(0, room - symbols.ellipsis.length)}${symbols.ellipsis}` : text)}${paint.bold(offer)}`;
  }
  if (notice !== null) {
    const { good, bad } = { good: notice.tone === 'good', bad: notice.tone === 'bad' };
    const mark = good ? paint.green(`${symbols.ok} `) : bad ? paint.red(`${symbols.fail} `) : '';
    return `${mark}${notice.text}`;
  }
  if (mode.kind === 'help') return paint.dim('any key goes back');
  if (mode.kind === 'details') return paint.dim('up down scroll  a approve  r run  p pause  Esc back');
  if (lost?.hint != null) return `${paint.cyan(symbols.arrow)} ${lost.hint}${paint.dim('  ? help  q quit')}`;
  return paint.dim('Enter details  p pause  r run  a approve  / filter  ? help  q quit');
}
