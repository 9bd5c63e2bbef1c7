import { pino } from 'pino';
import { codeOf } from '../errors.ts';
import { printable } from '../printable.ts';

/**
 * Names of our words in log lines: mula's, where it has one, so that filters and dashboards over KAT's logs find ours.
 * docs/logs.md lists them. What is not in here keeps its name.
 */
export const logNames: Readonly<Record<string, string>> = {
  scheduler: 'scheduler_id',
  // An actor has its scheduler's name.
  actor: 'scheduler_id',
  organisation: 'organisation_id',
  task: 'task_id',
  hash: 'task_hash',
  schedule: 'schedule_id',
  boefje: 'boefje_id',
  normalizer: 'normalizer_id',
  ooi: 'ooi_primary_key',
  rawFile: 'raw_data_id',
};

/** mula's words for levels that pino calls otherwise. */
const levels: Readonly<Record<string, string>> = { warn: 'warning', fatal: 'critical' };

export function levelName(label: string): string {
  return levels[label] ?? label;
}

/** The fields of a line under the names above; an error or failure as its code, its sentence and its facts, a bug as its stack. */
export function renamed({ err, failure = err, ...fields }: Record<string, unknown>): Record<string, unknown> {
  const named = Object.fromEntries(Object.entries(fields).map(([name, value]) => [logNames[name] ?? name, value]));
  return failure === undefined ? named : { ...ofFailure(failure), ...named };
}

function ofFailure(failure: unknown): Record<string, unknown> {
  const { code, message, fields } = (failure ?? {}) as { code?: unknown; message?: unknown; fields?: object };
  return {
    ...(typeof code === 'string' ? { code } : {}),
    ...(fields !== undefined && Object.keys(fields).length > 0 ? { fields } : {}),
    // Only a bug is told with its stack and its causes: of anything else the sentence says what to do.
    ...(codeOf(failure) === 'BROKEN' ? { exception: stackOf(failure) } : { reason: message }),
  };
}

function stackOf(failure: unknown): string {
  if (failure instanceof Error) return pino.stdSerializers.err(failure).stack;
  const { message } = (failure ?? {}) as { message?: unknown };
  return String(message ?? failure);
}

/** Somebody else's error message may hold the URL that it was about. */
const passwordInUrl = /(:\/\/[^\s:@/"]*:)[^\s@/"]+@/g;
/** In bytes. What collects logs splits or drops longer ones: Docker's drivers at 16 kB, syslog often at 8. */
const longestLine = 8_192;
/** How much is kept of a text, tried in this order; of a list or an object as many members as a tenth of that. */
const kept = [2_000, 500, 100, 20];
/** What is looked for by name; the shortest line has nothing else. */
const essential = ['level', 'timestamp', 'logger', 'event', 'code', 'scheduler_id'];
/** So many are named: the line has no room for more. */
const mostNamed = 8;

/**
 * A line of JSON as it may be written: without passwords, no longer than 8 kB, and nothing in it that moves a terminal.
 *
 * @param forText it is read by what prints the values instead of their JSON.
 */
export function readableLine(json: string, forText: boolean): string {
  const escaped = printable(json.replaceAll(passwordInUrl, '$1<redacted>@'));
  const line = forText ? escapedValues(escaped) : escaped;
  return Buffer.byteLength(line) <= longestLine ? line : cutLine(line);
}

/** The control characters that JSON has escaped, and those that we did, stay escaped when it is read. */
function escapedValues(line: string): string {
  return line.replace(/\\(?:u[0-9a-f]{4}|[^])/gi, (escape) => (escapesControl.test(escape) ? `\\${escape}` : escape));
}

/** Of those that the pattern above finds; not `\n`, which stacks have, nor `\t`, `\"` and `\\`. */
const escapesControl = /^\\[ubfr]/i;

/** Each text is cut by itself, so that the line stays JSON and its other fields stay whole; `cut` tells how long they were. */
function cutLine(line: string): string {
  const fields = JSON.parse(line) as Record<string, unknown>;
  for (const most of kept) {
    const shorter = withCut(fields, most);
    if (Buffer.byteLength(shorter) <= longestLine) return shorter;
  }
  const rest = Object.fromEntries(essential.filter((name) => name in fields).map((name) => [name, fields[name]]));
  return withCut(rest, kept.at(-1)!, { line: line.length });
}

function withCut(fields: Record<string, unknown>, most: number, before: Record<string, number> = {}): string {
  const cut = { ...before };
  const shorter = shortened(fields, most, '', (path, length) => {
    if (Object.keys(cut).length < mostNamed) cut[beginning(path, 100)] = length;
  }) as object;
  return `${printable(JSON.stringify({ ...shorter, cut }))}\n`;
}

type Note = (path: string, length: number) => void;

function shortened(value: unknown, most: number, path: string, note: Note): unknown {
  if (typeof value === 'string') {
    if (value.length <= most) return value;
    note(path, value.length);
    return `${beginning(value, most)}…`;
  }
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value);
  const mostMembers = Math.max(10, most / 10);
  if (members.length > mostMembers) note(path || 'fields', members.length);
  const at = (name: string) => (path === '' ? name : `${path}.${name}`);
  const few = members
    .slice(0, mostMembers)
    .map(([name, member]) => [beginning(name, most), shortened(member, most, at(name), note)] as const);
  return Array.isArray(value) ? few.map(([, member]) => member) : Object.fromEntries(few);
}

/** Half a character at the cut becomes U+FFFD. */
function beginning(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}
