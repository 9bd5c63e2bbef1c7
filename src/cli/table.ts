import Table from 'cli-table3';
import { oneLine, printable } from '../printable.ts';
import { ageOf, attemptText, changedText, countOf, errorText, moment, subjectOf, tookOf } from '../control/wording.ts';
import type { TaskView } from '../protocol/operator-lists.ts';
import type { TaskHistory } from '../tasks/task.ts';
import { terminalWidth } from './terminal.ts';

type Cell = string | number | null;

const gap = 2;
const least = 8;
/** No lines and no colour: columns as `ps` prints them. */
const noLines = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
    side === 'mid' || side === 'top' || side === 'bottom'
      ? [side, `${side}-mid`, `${side}-left`, `${side}-right`].map((name) => [name, ''])
      : [
          [side, ''],
          [`${side}-mid`, ''],
        ],
  ),
);

/** Ids of tasks, schedules and leases are never cut: an operator copies them into the next command. */
const id = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface TableOptions {
  /** Wraps sentences instead of cutting them: their end may be what matters. */
  readonly wrap?: boolean;
}

/**
 * Columns for people; JSON keeps the values. On a terminal of `width` columns the widest cells are cut with an ellipsis until a
 * row fits; if an id that leads its row leaves too little room, it gets a line of its own. Without a width (a pipe) nothing is cut.
 */
export function tableOf(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  width = terminalWidth(),
  options: TableOptions = {},
): string {
  // A wrapped cell keeps its newlines.
  const shown = options.wrap === true ? printable : oneLine;
  const texts = rows.map((row) => row.map((cell) => (cell === null ? '-' : shown(String(cell)))));
  const natural = head.map((title, at) => Math.max(title.length, ...texts.map((row) => row[at]!.length)));
  const room = width === null ? Number.POSITIVE_INFINITY : width - gap * (head.length - 1);
  const whole = head.map((_title, at) => texts.some((row) => id.test(row[at]!)));
  if (whole[0] === true && total(natural) > room) return stacked(head, rows, width, options);
  return drawn(head, rows, texts, fit(natural, whole, room), options);
}

/** Each id on a line of its own, the rest of its row below it. */
function stacked(
  [title, ...head]: readonly string[],
  rows: readonly (readonly Cell[])[],
  width: number | null,
  options: TableOptions,
): string {
  const rest = tableOf(
    head,
    rows.map((row) => row.slice(1)),
    width === null ? null : width - gap,
    options,
  );
  const [under, ...lines] = rest.split('\n');
  const indent = ' '.repeat(gap);
  return [title, indent + under, ...rows.flatMap(([first], at) => [oneLine(String(first)), indent + lines[at]])].join(
    '\n',
  );
}

function drawn(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  texts: readonly (readonly string[])[],
  widths: number[],
  { wrap = false }: TableOptions,
): string {
  const table = new Table({
    chars: { ...noLines, middle: ' '.repeat(gap) },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colWidths: widths,
    wordWrap: wrap,
    colAligns: head.map((_title, at) => (isNumeric(rows.map((row) => row[at]!)) ? 'right' : 'left')),
  });
  table.push([...head], ...texts.map((row) => [...row]));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** `name  value` lines. */
export function fieldsOf(fields: readonly (readonly [string, Cell])[]): string {
  const widest = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(widest)}  ${oneLine(String(value ?? '-'))}`).join('\n');
}

function fit(widths: readonly number[], whole: readonly boolean[], room: number): number[] {
  const fitted = [...widths];
  while (total(fitted) > room) {
    const widest = Math.max(...fitted.filter((_width, at) => !whole[at]));
    if (widest <= least) break;
    fitted[fitted.findIndex((width, at) => width === widest && !whole[at])] = widest - 1;
  }
  return fitted;
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0);
}

/** Figures, `10000+`, and ages such as `3m 20s`. */
function isNumeric(column: readonly Cell[]): boolean {
  const filled = column.filter((cell) => cell !== null && cell !== '-');
  return (
    filled.length > 0 &&
    filled.every((cell) => typeof cell === 'number' || /^\d[\d.]*([a-z]*|\+)( \d+[a-z]| [a-z]+)*$/i.test(String(cell)))
  );
}

/** Fields of a task. */
export function lastAttemptOf(task: TaskHistory): readonly (readonly [string, Cell])[] {
  return [
    ['worker', task.worker],
    ['claimed', at(task.claimed_at)],
    ['began', at(task.started_at)],
    ['ended', task.ended_at === null ? null : `${moment(task.ended_at)}${tookOf(task)}`],
    ['error', task.error === null ? null : errorText(task.error)],
    ['detail', task.error?.detail ?? null],
    ['changed by', task.changed === null ? null : changedText(task.changed)],
  ];
}

export function earlierAttemptsOf({ attempts_before: before }: TaskHistory): readonly (readonly [string, Cell])[] {
  return before.map((attempt, n) => [n === 0 ? 'before' : '', attemptText(attempt)]);
}

const at = (timestamp: string | null) => (timestamp === null ? null : `${moment(timestamp)} (${ageOf(timestamp)} ago)`);

/** Of `rota tasks list --failed`. */
export function tableOfFailed(tasks: readonly TaskView[]): string {
  const rows = tasks.map(({ id, data, organisation, worker, ended_at: ended, error, reason, streak }) => {
    const why = error === null ? reason : errorText(error);
    return [id, subjectOf(data).plugin, organisation, worker, ageOf(ended), countOf(streak), why];
  });
  return tableOf(['TASK', 'PLUGIN', 'ORGANISATION', 'WORKER', 'AGO', 'FAILED', 'ERROR'], rows);
}
