import { readFileSync } from 'node:fs';

/** One recorded request of mula and its answer; ids and timestamps are of that run. */
export interface RecordedLine {
  readonly seq: number;
  readonly name: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly body?: unknown;
    readonly raw_body?: string;
    /** Null removes a header that the client would send. */
    readonly headers?: Readonly<Record<string, string | null>>;
  };
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export function readRecording(): RecordedLine[] {
  const text = readFileSync(new URL('../fixtures/mula-answers.jsonl', import.meta.url), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as RecordedLine);
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** Faults that Rota words itself: of these `type`, `loc` and `input` are compared. */
const wordedByRota: ReadonlySet<unknown> = new Set(['json_invalid', 'uuid_parsing']);

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?Z$/;

/** Replays lines against a server, and maps the ids of the recording to its own. */
export class Replay {
  readonly #url: string;
  readonly #recordedUrl: string;
  readonly #ids = new Map<string, string>();

  constructor(url: string, recordedUrl: string) {
    this.#url = url;
    this.#recordedUrl = recordedUrl;
  }

  async ask({ request }: RecordedLine): Promise<Answer> {
    const headers = new Headers();
    const body = request.raw_body ?? (request.body === undefined ? undefined : JSON.stringify(request.body));
    if (body !== undefined) headers.set('content-type', 'application/json');
    for (const [name, value] of Object.entries(request.headers ?? {})) {
      if (value === null) headers.delete(name);
      else headers.set(name, value);
    }
    const response = await fetch(this.#url + this.#ours(request.path), {
      method: request.method,
      headers,
      redirect: 'manual',
      // Bytes: fetch names a content type for a string.
      ...(body === undefined ? {} : { body: new TextEncoder().encode(this.#ours(body)) }),
    });
    const text = await response.text();
    const json = response.headers.get('content-type') === 'application/json' && text !== '';
    return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
  }

  /** What differs, one sentence each; empty where nothing does. Learns the ids of the answer. */
  differences(line: RecordedLine, answer: Answer): string[] {
    const found: string[] = [];
    if (answer.status !== line.status) return [`status: mula ${line.status}, ours ${answer.status}`];
    for (const [name, recorded] of Object.entries(line.headers)) {
      const ours = answer.headers.get(name);
      const same = name === 'allow' ? sorted(recorded) === sorted(ours ?? '') : this.#sameText(recorded, ours);
      if (!same) found.push(`header ${name}: mula ${recorded}, ours ${ours}`);
    }
    if (line.headers['content-type']?.startsWith('text/plain')) compareMetrics(line.body, answer.body, found);
    else this.#compare(line.body, answer.body, 'body', found);
    return found;
  }

  #compare(recorded: unknown, ours: unknown, at: string, found: string[]): void {
    if (Array.isArray(recorded) && Array.isArray(ours)) {
      if (recorded.length !== ours.length)
        found.push(`${at}: mula has ${recorded.length} members, ours ${ours.length}`);
      for (const [index, member] of recorded.entries()) this.#compare(member, ours[index], `${at}[${index}]`, found);
    } else if (isObject(recorded) && isObject(ours)) {
      const ownWords = wordedByRota.has(recorded['type']) && recorded['type'] === ours['type'];
      for (const key of new Set([...Object.keys(recorded), ...Object.keys(ours)])) {
        if (ownWords && (key === 'msg' || key === 'ctx')) continue;
        if (!(key in recorded)) found.push(`${at}.${key}: only ours has it`);
        else if (!(key in ours)) found.push(`${at}.${key}: only mula has it`);
        else this.#compare(recorded[key], ours[key], `${at}.${key}`, found);
      }
    } else if (typeof recorded === 'string' && typeof ours === 'string') {
      if (!this.#sameText(recorded, ours)) found.push(`${at}: mula ${recorded}, ours ${ours}`);
    } else if (recorded !== ours) {
      found.push(`${at}: mula ${JSON.stringify(recorded)}, ours ${JSON.stringify(ours)}`);
    }
  }

  #sameText(recorded: string, ours: string | null): boolean {
    if (ours === null) return false;
    if (timestamp.test(recorded)) return sameTime(recorded, ours);
    if (recorded.length === 36 && recorded.match(uuid)?.[0] === recorded) return this.#sameId(recorded, ours);
    return this.#ours(recorded).replaceAll(this.#recordedUrl, this.#url) === ours;
  }

  #sameId(recorded: string, ours: string): boolean {
    const known = this.#ids.get(recorded);
    if (known !== undefined) return known === ours;
    if (recorded !== ours) this.#ids.set(recorded, ours);
    return ours.match(uuid)?.[0] === ours;
  }

  #ours(text: string): string {
    return text.replaceAll(uuid, (id) => this.#ids.get(id) ?? id);
  }
}

/** Dashboards ask for names: every family of mula's is there, of the same kind. */
function compareMetrics(recorded: unknown, ours: unknown, found: string[]): void {
  const families = (text: unknown) => String(text).match(/^# TYPE .*$/gm) ?? [];
  const known = new Set(families(ours));
  for (const family of families(recorded)) if (!known.has(family)) found.push(`metrics: only mula has ${family}`);
}

/** The moments of a run differ; what a person or a cron named (whole seconds) does not. */
function sameTime(recorded: string, ours: string): boolean {
  if (!timestamp.test(ours)) return false;
  return recorded.includes('.') || Date.parse(recorded) === Date.parse(ours);
}

function sorted(list: string): string {
  return list.split(', ').sort().join(', ');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
