import { age, moment } from '../../control/wording.ts';
import { oneLine } from '../../printable.ts';
import { tableOf } from '../table.ts';
import type { Style, StyledLine } from '../terminal.ts';
import { type Row, type TableRow, titlesOf, views } from './rows.ts';
import { isAwaited, rowsOf, selectedAt, type TopState } from './state.ts';

export interface Size {
  readonly rows: number;
  readonly columns: number;
}

export interface Moment {
  /** Of the wall, for people. */
  readonly date: Date;
  /** Milliseconds since the last look that found something. */
  readonly sinceLook: number;
  /** As long figures may be without being called stale. */
  readonly staleMs: number;
}

const keys = 'p pause  r resume  s sort  / filter  e explain  tab view  ? help  q quit';

const help: readonly string[] = [
  'up down j k    select; also page up, page down, home, end (g, G)',
  'tab            next view: schedulers, organisations, boefjes, images; left and right, too',
  's              sort by the next column',
  '/              show only what contains a text; Enter keeps it, Esc shows all',
  'e or Enter     explain what is selected: its verdict, or what to do',
  'p              pause what is selected; y confirms',
  'r              resume it; y confirms',
  'q or Ctrl-C    quit',
  'Ctrl-Z         suspend',
  '',
  'RATE and FAILED are of the last ten minutes (of images: the last five).',
  'rota status, rota queue and rota explain say more, and print JSON.',
];

/** One screen, never more than its rows. Lines may be longer than its columns: the terminal cuts them. */
export function linesOf(state: TopState, size: Size, now: Moment): readonly StyledLine[] {
  const rows = rowsOf(state);
  const at = selectedAt(state, rows);
  const problems = rows.filter(({ kind }) => kind === 'problem');
  const head = [
    headLine(state, now),
    ...problemLines(
      problems,
      at,
      Math.max(1, Math.floor(size.rows / 4)),
      isStale(state, now) || state.figures === null,
    ),
  ];
  const foot = [messageLine(state), { text: keys, style: 'dim' as const }];
  const room = size.rows - head.length - foot.length - 1;
  const body = bodyOf(state, rows, at, size.columns, room);
  const filled = Array.from({ length: Math.max(0, room) }, (_none, n): StyledLine => body[n] ?? { text: '' });
  return [...head, { text: '' }, ...filled, ...foot].slice(0, size.rows);
}

function isStale(
  { failure }: Pick<TopState, 'failure'>,
  { sinceLook, staleMs }: Pick<Moment, 'sinceLook' | 'staleMs'>,
): boolean {
  return failure !== null || sinceLook > staleMs;
}

function headLine({ figures, failure }: TopState, { date, sinceLook, staleMs }: Moment): StyledLine {
  const at = moment(date.toISOString());
  if (figures === null) return { text: `rota top  ${at}  looking …`, style: 'title' };
  const { overview } = figures;
  const sum = (key: 'queued' | 'in_per_second' | 'out_per_second') =>
    overview.schedulers.reduce((total, scheduler) => total + (scheduler[key] ?? 0), 0);
  const supervisors = overview.supervisors.length;
  const text = [
    `rota top  ${at}`,
    `${supervisors} ${supervisors === 1 ? 'supervisor' : 'supervisors'}`,
    `${sum('queued')} queued`,
    `${sum('in_per_second').toFixed(1)} in/s`,
    `${sum('out_per_second').toFixed(1)} out/s`,
  ].join('  ');
  if (!isStale({ failure }, { sinceLook, staleMs })) return { text, style: 'title' };
  const why = failure === null ? 'no answer yet' : oneLine(failure);
  return { text: `STALE: figures of ${age(sinceLook / 1_000)} ago, ${why}`, style: 'problem' };
}

/** As many as fit, the selected one among them. `unknown`: that there are none says nothing. */
function problemLines(problems: readonly Row[], at: number, most: number, unknown: boolean): readonly StyledLine[] {
  if (problems.length === 0 && unknown) return [{ text: '' }];
  if (problems.length === 0) return [{ text: '✔ nothing is wrong', style: 'good' }];
  const [from, to] = windowOf(problems.length, at < problems.length ? at : 0, most);
  const lines = problems.slice(from, to).flatMap((row, n): readonly StyledLine[] => {
    if (row.kind !== 'problem') return [];
    const { level, about, finding } = row.finding;
    const mark = level === 'problem' ? '✖' : '!';
    const text = `${from + n === at ? '▸' : ' '}${mark} ${oneLine(about)}: ${oneLine(finding)}`;
    return [{ text, style: from + n === at ? 'selected' : level === 'problem' ? 'problem' : 'warning' }];
  });
  const left = problems.length - (to - from);
  return left === 0 ? lines : [...lines, { text: `   and ${left} more`, style: 'dim' }];
}

function messageLine({ mode, filter, asked, message }: TopState): StyledLine {
  if (mode === 'filter') return { text: `/${oneLine(filter)}_  Enter keeps it, Esc shows all`, style: 'title' };
  if (mode === 'confirm' && asked !== null)
    return { text: `${oneLine(asked.question)}. Sure? y, or any other key`, style: 'warning' };
  return { text: oneLine(message), style: 'warning' };
}

function bodyOf(
  state: TopState,
  rows: readonly Row[],
  at: number,
  columns: number,
  room: number,
): readonly StyledLine[] {
  if (state.mode === 'help') return help.map((text) => ({ text }));
  if (state.detail !== null) return detailLines(state.detail, columns, room);
  const { view, sort, filter } = state;
  const problems = rows.filter(({ kind }) => kind === 'problem').length;
  const table = rows.slice(problems) as readonly TableRow[];
  const [from, to] = windowOf(table.length, at - problems, Math.max(1, room - 2));
  const tabs = views.map((it) => (it === view ? `[${it}]` : ` ${it} `)).join(' ');
  const shown = to - from < table.length ? `  ${from + 1}-${to} of ${table.length}` : '';
  const filtered = filter === '' ? '' : `  filter: ${oneLine(filter)}`;
  const titles = titlesOf(view);
  const top: StyledLine = { text: `${tabs}  by ${titles[sort[view]]}${shown}${filtered}`, style: 'dim' };
  if (table.length === 0) {
    const none = isAwaited(state) ? 'looking …' : noneOf(state);
    return [top, { text: `  ${none}` }];
  }
  const [title, ...drawn] = tableOf(
    titles.map((text, n) => `${n === 0 ? '  ' : ''}${text}${n === sort[view] ? '▾' : ''}`),
    // With a mark, and so never taken for an id, which would stand on a line of its own.
    table.slice(from, to).map(({ cells: [name, ...rest] }, n) => {
      return [`${from + n + problems === at ? '▸' : ' '} ${oneLine(String(name))}`, ...rest];
    }),
    columns,
  ).split('\n');
  return [
    top,
    { text: title!, style: 'title' },
    ...drawn.map((text, n) => ({ text, style: styleOf(table[from + n]!, from + n + problems === at) })),
  ];
}

function noneOf({ figures, filter }: TopState): string {
  const failure = figures?.parts?.failure ?? null;
  if (failure !== null) return `it cannot be told: ${oneLine(failure)}`;
  return filter === '' ? 'nothing is queued' : 'nothing matches the filter';
}

function styleOf({ state }: TableRow, selected: boolean): Style {
  if (selected) return 'selected';
  if (state === 'stands' || state === 'unknown') return 'problem';
  return state === 'paused' || state === 'held' || state === 'falls behind' ? 'warning' : 'plain';
}

function detailLines(
  { title, lines }: NonNullable<TopState['detail']>,
  columns: number,
  room: number,
): readonly StyledLine[] {
  const text = lines.flatMap((line) => wrapped(oneLine(line), columns));
  const shown = text.length > room - 1 ? [...text.slice(0, Math.max(0, room - 2)), '…'] : text;
  return [
    { text: oneLine(title), style: 'title' },
    ...shown.map((line, n) => ({ text: line, style: n === 0 ? ('strong' as const) : ('plain' as const) })),
  ];
}

/** Between words where there are any: a reference has none. */
function wrapped(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > columns) {
    const space = rest.lastIndexOf(' ', columns);
    const end = space > columns / 2 ? space : columns;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest];
}

/** `most` of `count`, with `at` among them. */
function windowOf(count: number, at: number, most: number): readonly [from: number, to: number] {
  const from = Math.max(0, Math.min(at - most + 1, count - most));
  return [from, Math.min(count, from + most)];
}
