import type { Asked } from './answers.ts';
import type { Audit } from './audit.ts';
import type { Fault } from './fault.ts';
import type { Breach, Guarantee } from './guarantees.ts';
import type { Published } from './load/events.ts';
import type { LedgerCounts } from './ledger.ts';
import type { LogLine } from './supervisor.ts';

/** What a drill came to: one row of the table. */
export interface Finding {
  readonly fault: string;
  readonly verdict: 'held' | 'broke' | 'left out';
  /** Why it was left out. */
  readonly reason?: string;
  readonly figures?: Figures;
  readonly breaches: readonly Breach[];
  readonly seconds: number;
}

interface Figures {
  readonly accepted: number;
  readonly completed: number;
  readonly events: number;
  readonly lost: number;
  readonly twice: number;
  /** Failed though no worker said so, and events given up. */
  readonly given_up: number;
  readonly dead_lettered: number;
  readonly taken: number;
  readonly silent: number;
  /** Null: not at all. */
  readonly pops_back_ms: number | null;
  readonly events_back_ms: number | null;
  readonly memory_rest_mib: number;
  readonly memory_most_mib: number;
}

export interface Evidence {
  readonly fault: Fault;
  readonly supervisors: number;
  /** Epoch milliseconds: when the fault began, and when everything had to begin to come back. */
  readonly began: number;
  readonly over: number;
  readonly asked: readonly Asked[];
  readonly counts: LedgerCounts;
  readonly audit: Audit;
  readonly published: readonly Published[];
  readonly madeAt: ReadonlyMap<string, number>;
  readonly dead: number;
  readonly restMib: number;
  readonly mostMib: number;
  readonly log: readonly LogLine[];
}

const backWithinMs = 5_000;
/** Requests of before the fault may meet it too. */
const longestRequestMs = 15_000;
/** An outage of a part is a line when it begins, one a minute and one when it ends. */
const mostLines = 12;

export function figuresOf(evidence: Evidence): Figures {
  const { counts, audit, published, madeAt, over, dead, restMib, mostMib } = evidence;
  const missing = published.filter(({ ooi }) => !madeAt.has(ooi)).length;
  const after = published.filter(({ at, ooi }) => at >= over && madeAt.has(ooi)).map(({ ooi }) => madeAt.get(ooi)!);
  return {
    accepted: counts.accepted,
    completed: counts.completed,
    events: published.length,
    lost: audit.lost.length + Math.max(0, missing - dead),
    twice: counts.twice,
    given_up: audit.givenUp,
    dead_lettered: dead,
    taken: counts.taken + audit.taken,
    silent: silentOf(evidence).length,
    pops_back_ms: popsBack(evidence),
    events_back_ms: after.length === 0 ? null : Math.max(0, Math.round(Math.min(...after) - over)),
    memory_rest_mib: Math.round(restMib),
    memory_most_mib: Math.round(mostMib),
  };
}

export function breachesOf(evidence: Evidence, figures: Figures): readonly Breach[] {
  const breaches: Breach[] = [];
  const hold = (guarantee: Guarantee, holds: boolean, what: string) => {
    if (!holds) breaches.push({ guarantee, what });
  };
  const { audit, published, madeAt, dead, fault } = evidence;
  const missing = published.filter(({ ooi }) => !madeAt.has(ooi)).length - dead;
  hold(
    'no accepted task is lost',
    audit.lost.length === 0,
    `${audit.lost.length} lost: ${audit.lost.slice(0, 3).join(', ')}`,
  );
  hold('one valid lease', figures.twice === 0, `${figures.twice} handed out twice`);
  hold('an event is acknowledged after its commit', missing <= 0, `${missing} events came to nothing`);
  const taken = `${figures.taken} leases of living workers taken`;
  hold('a worker that lives keeps its task', figures.taken === 0, taken);
  hold(
    'every request is answered',
    figures.silent === 0,
    `${figures.silent} without an answer: ${kinds(silentOf(evidence))}`,
  );
  hold('back within 5 s', isBack(figures.pops_back_ms), `pops after ${shown(figures.pops_back_ms)}`);
  hold('back within 5 s', isBack(figures.events_back_ms), `events after ${shown(figures.events_back_ms)}`);
  const late = lateOf(evidence);
  hold('back within 5 s', late.length === 0, `${late.length} requests failed later than that: ${kinds(late)}`);
  const slow = slowEvents(evidence);
  hold('back within 5 s', slow === 0, `${slow} events published later than that took over 5 s`);
  const memory = `${figures.memory_rest_mib} MiB at rest, ${figures.memory_most_mib} at most`;
  const bounded = figures.memory_most_mib <= 2 * figures.memory_rest_mib;
  hold('memory is bounded', fault.boundsMemory !== true || bounded, memory);
  hold(
    'memory is bounded',
    audit.doneThoughRefused === 0,
    `${audit.doneThoughRefused} pushes refused and done all the same`,
  );
  hold('repeats are answered as the first time', audit.refusedRepeats === 0, `${audit.refusedRepeats} repeats refused`);
  const refusals = 'a refusing service costs no event, attempt or actor';
  hold(refusals, figures.dead_lettered === 0, `${figures.dead_lettered} valid events dead-lettered`);
  hold(refusals, figures.given_up === 0, `${figures.given_up} tasks failed`);
  const restarts = evidence.log.filter(
    ({ event, level }) => level !== 'info' && /^actor (?:stopped|keeps failing|crashed)/.test(event),
  );
  hold(
    refusals,
    restarts.length === 0,
    `${restarts.length} times: ${restarts[0]?.event} (${String(restarts[0]?.['reason'])})`,
  );
  return [...breaches, ...logBreaches(evidence.log)];
}

function logBreaches(log: readonly LogLine[]): readonly Breach[] {
  const guarantee = 'logs report an outage once';
  const traces = log.filter((line) => /\n\s+at /.test(line.exception ?? '') || /^\s+at /.test(line.event));
  const breaches: Breach[] = [];
  if (traces.length > 0) {
    const first = `${traces[0]!.event}: ${(traces[0]!.exception ?? '').split('\n')[0]}`;
    breaches.push({ guarantee, what: `${traces.length} stack traces, as of “${first.slice(0, 160)}”` });
  }
  const worried = log.filter(({ level }) => ['warning', 'error', 'critical'].includes(level));
  const alike = Map.groupBy(worried, ({ event, source, service, scheduler_id }) =>
    [event, source, service, scheduler_id].filter((part) => typeof part === 'string').join(' '),
  );
  for (const [what, lines] of alike) {
    if (lines.length > mostLines) breaches.push({ guarantee, what: `${lines.length} lines “${what.slice(0, 100)}”` });
  }
  return breaches;
}

/** Unanswered, though nothing on their way was in the fault's reach. */
function silentOf({ asked, fault, began, over }: Evidence): readonly Asked[] {
  const excused = new Set<'nats' | 'rest' | number>(fault.unanswered ?? []);
  return asked.filter(({ answer, via, to, sentAt }) => {
    if (answer.outcome !== 'silent') return false;
    const reached = excused.has(via) || (to !== null && excused.has(to));
    return !(reached && sentAt > began - longestRequestMs && sentAt < over);
  });
}

/** Failed, though sent when everything had to be back. */
function lateOf({ asked, over }: Evidence): readonly Asked[] {
  return asked.filter(
    ({ sentAt, answer }) => sentAt > over + backWithinMs && answer.outcome !== 'ok' && answer.status !== 409,
  );
}

/** Until each supervisor's next pop over REST, and the next over NATS. */
function popsBack({ asked, supervisors, over }: Evidence): number | null {
  const pops = asked.filter(
    ({ kind, answer, endedAt }) => kind === 'pop' && answer.outcome === 'ok' && endedAt >= over,
  );
  const firsts = [null, ...Array(supervisors).keys()].map((number) => pops.find(({ to }) => to === number));
  const times = firsts.map((pop) => (pop === undefined ? null : pop.endedAt - over));
  return times.includes(null) ? null : Math.max(...(times as number[]));
}

function slowEvents({ published, madeAt, over }: Evidence): number {
  return published.filter(({ at, ooi }) => {
    const made = madeAt.get(ooi);
    return at > over + backWithinMs && made !== undefined && made - at > backWithinMs;
  }).length;
}

function isBack(ms: number | null): boolean {
  return ms !== null && ms <= backWithinMs;
}

function shown(ms: number | null): string {
  return ms === null ? 'nothing came back' : `${(ms / 1_000).toFixed(1)} s`;
}

/** `12 × push over nats (503 …), …` */
function kinds(asked: readonly Asked[]): string {
  const alike = Map.groupBy(asked, ({ kind, via, answer }) => {
    const said = answer.status === 0 ? answer.outcome : `${answer.status} ${answer.detail.slice(0, 80)}`;
    return `${kind} over ${via} (${said})`;
  });
  return [...alike]
    .map(([what, some]) => `${some.length} × ${what}`)
    .slice(0, 4)
    .join(', ');
}
