import Table from 'cli-table3';

export type Cell = string | number | null;

const gap = 2;
const least = 8;
/** Every drawn line is empty: what is left is columns, as `ps` prints them, without colour. */
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

/**
 * Columns for people. Into a terminal of `width` columns the widest ones are cut with an ellipsis until a row fits;
 * without a width (a pipe) nothing is cut.
 */
export function tableOf(head: readonly string[], rows: readonly (readonly Cell[])[], width = terminalWidth()): string {
  const texts = rows.map((row) => row.map((cell) => (cell === null ? '-' : String(cell))));
  const widths = fit(
    head.map((title, at) => Math.max(title.length, ...texts.map((row) => row[at]!.length))),
    width === null ? Number.POSITIVE_INFINITY : width - gap * (head.length - 1),
  );
  const table = new Table({
    chars: { ...noLines, middle: ' '.repeat(gap) },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colWidths: widths,
    colAligns: head.map((_title, at) => (isNumeric(rows.map((row) => row[at]!)) ? 'right' : 'left')),
  });
  table.push([...head], ...texts);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** `name  value` lines. */
export function fieldsOf(fields: readonly (readonly [string, Cell])[]): string {
  const widest = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(widest)}  ${value ?? '-'}`).join('\n');
}

/** Null where nobody looks. */
export function terminalWidth(): number | null {
  return process.stdout.isTTY ? process.stdout.columns : null;
}

function fit(widths: number[], room: number): number[] {
  const fitted = [...widths];
  while (fitted.reduce((sum, width) => sum + width, 0) > room) {
    const widest = Math.max(...fitted);
    if (widest <= least) break;
    fitted[fitted.indexOf(widest)] = widest - 1;
  }
  return fitted;
}

/** Figures, and ages such as `3m 20s`. */
function isNumeric(column: readonly Cell[]): boolean {
  const told = column.filter((cell) => cell !== null && cell !== '-');
  return (
    told.length > 0 && told.every((cell) => typeof cell === 'number' || /^\d[\d.]*( ?[a-z]+)*$/i.test(String(cell)))
  );
}
