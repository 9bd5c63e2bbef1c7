import { pino } from 'pino';
import { codeOf } from '../errors.ts';
import { printable } from '../printable.ts';

/**
 * Field names in log lines, by ours: mula's where it has one, so that filters and dashboards over KAT's logs find them.
 * docs/logs.md lists them. Other fields keep their names.
 */
export const logNames: Readonly<Record<string, string>> = {
  scheduler: 'scheduler_id',
  // An actor has the name of its scheduler.
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

/** mula's names of levels, where pino's differ. */
const levels: Readonly<Record<string, string>> = { warn: 'warning', fatal: 'critical' };

export function levelName(label: string): string {
  return levels[label] ?? label;
}

/** The fields of a line under those names. An error or failure becomes its code, message and fields; a bug its stack. */
export function renamed({ err, failure = err, ...fields }: Record<string, unknown>): Record<string, unknown> {
  const named = Object.fromEntries(Object.entries(fields).map(([name, value]) => [logNames[name] ?? name, value]));
  return failure === undefined ? named : { ...ofFailure(failure), ...named };
}

function ofFailure(failure: unknown): Record<string, unknown> {
  const { code, message, fields } = (failure ?? {}) as { code?: unknown; message?: unknown; fields?: object };
  return {
    ...(typeof code === 'string' ? { code } : {}),
    ...(fields !== undefined && Object.keys(fields).length > 0 ? { fields } : {}),
    // Only a bug gets its stack and causes: any other message says what to do.
    ...(codeOf(failure) === 'BROKEN' ? { exception: stackOf(failure) } : { reason: message }),
  };
}

function stackOf(failure: unknown): string {
  if (failure instanceof Error) return pino.stdSerializers.err(failure).stack;
  const { message } = (failure ?? {}) as { message?: unknown };
  return String(message ?? failure);
}

/** Error messages of libraries may hold a whole URL. */
const passwordInUrl = /(:\/\/[^\s:@/"]*:)[^\s@/"]+@/g;
/** In bytes. Log collectors split or drop longer lines: Docker's drivers at 16 kB, syslog often at 8. */
const longestLine = 8_192;
/** Characters kept of a text, tried in this order; a list or an object keeps a tenth as many members. */
const kept = [2_000, 500, 100, 20];
/** Fields that people filter by; the shortest line has no others. */
const essential = ['level', 'timestamp', 'logger', 'event', 'code', 'scheduler_id'];
/** Cut fields that `cut` names: the line has no room for more. */
const mostNamed = 8;

/**
 * Makes a line of JSON safe to write: no passwords, 8 kB at most, no control characters.
 *
 * @param forText the reader prints the values, not their JSON.
 */
export function readableLine(json: string, forText: boolean): string {
  const escaped = printable(json.replaceAll(passwordInUrl, '$1<redacted>@'));
  const line = forText ? escapedValues(escaped) : escaped;
  return Buffer.byteLength(line) <= longestLine ? line : cutLine(line);
}

/** Keeps control characters escaped after the line is parsed: those that JSON escaped, and those that we did. */
function escapedValues(line: string): string {
  return line.replace(/\\(?:u[0-9a-f]{4}|[^])/gi, (escape) => (escapesControl.test(escape) ? `\\${escape}` : escape));
}

/** Not `\n`, which stacks have, nor `\t`, `\"` and `\\`. */
const escapesControl = /^\\[ubfr]/i;

/** Cuts each text by itself, so that the line stays JSON and other fields stay whole; `cut` holds their full lengths. */
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

/** A surrogate pair split by the cut becomes U+FFFD. */
function beginning(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}
