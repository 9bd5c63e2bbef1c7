import type { ExplanationStep } from '../protocol/commands.ts';
import type { ExplanationView, StartEstimate } from '../protocol/operator-lists.ts';
import type { RefusalReason } from '../tasks/refusal.ts';
import { adviceOn } from './advice.ts';
import { age, moment, rateOf, whenOf } from './wording.ts';

/** An explanation in one sentence, one reason and one thing to do; said by the terminal and the page. */
export interface Verdict {
  readonly kind: 'at-work' | 'queued' | 'held' | 'nobody-asks' | 'waits' | 'refused' | 'unknown' | 'free';
  /** Whether an operator should act: `good` is under way, `idle` waits as it should. */
  readonly level: 'good' | 'idle' | 'warn' | 'bad';
  readonly sentence: string;
  readonly reason: RefusalReason | null;
  /** What decides it. */
  readonly fact: string | null;
  readonly advice: string | null;
}

type Way = ExplanationView['in_the_way'][number];

export function verdictOf(explained: ExplanationView): Verdict {
  const { task, verdict } = explained;
  if (task?.status === 'queued') return queued(explained);
  if (task?.status === 'dispatched' || task?.status === 'running' || task?.status === 'pending')
    return atWork(explained, task);
  if (verdict === 'refused') return refused(explained);
  if (verdict === 'unknown') return unknown(explained);
  return free(explained);
}

/** Why a person may not queue it now; null where nothing but time is in the way. */
export function whyNotNow({ steps, schedule, task }: ExplanationView): string | null {
  if (task?.status === 'queued') return 'already-queued: a task of it is queued already';
  const open = steps.find(({ outcome }) => outcome === 'unanswered');
  const refusal = steps.find(({ outcome, reason }) => outcome === 'refuses' && !isOfTime(reason));
  if (refusal !== undefined) return `${refusal.reason ?? refusal.rule}: ${refusal.fact}`;
  if (open !== undefined) return `whether it may run cannot be told now: ${open.fact}`;
  // What the rules disabled, they decide anew; what a person disabled, only a person enables.
  const byPerson = schedule?.disabled_reason === 'person' || schedule?.disabled_reason === null;
  if (schedule?.enabled === false && byPerson) return 'schedule-disabled: a person disabled its schedule';
  return null;
}

function isOfTime(reason: RefusalReason | null): boolean {
  return reason !== null && adviceOn[reason].ofTime === true;
}

function atWork({ in_the_way: ways }: ExplanationView, { id, status }: NonNullable<ExplanationView['task']>): Verdict {
  const ended = ways.find(({ what }) => what === 'lease');
  const worker = ways.find(({ what }) => what === 'worker');
  const by = nameOf(ended ?? worker);
  const known = { kind: 'at-work', reason: null, fact: (ended ?? worker)?.fact ?? null } as const;
  if (ended !== undefined) {
    const sentence = `It was on ${by}, whose lease ended ${moment(ended.until ?? null)}: it goes back to the queue by itself.`;
    return { ...known, level: 'warn', sentence, advice: 'see whether that worker still runs, and what it logged last' };
  }
  if (worker === undefined) {
    const sentence = `It is ${status}, and no lease of it is known.`;
    // What is pending was never handed out, and so cannot be given back.
    const advice =
      status === 'pending'
        ? `rota tasks cancel ${id}, where it stays so`
        : `wait for its runner to report, or: rota tasks release ${id}`;
    return { ...known, level: 'warn', sentence, advice };
  }
  const sentence =
    status === 'running' ? `It runs now on ${by}.` : `It is with ${by}, which has not reported yet that it runs.`;
  return { ...known, level: 'good', sentence, advice: 'nothing: wait for its end' };
}

function nameOf(way: Way | undefined): string {
  return way?.by == null ? 'a worker without a name' : `worker ${way.by}`;
}

/** Of what is queued it is never said that it would not be. */
function queued(explained: ExplanationView): Verdict {
  const { task, reason, steps, start } = explained;
  const since = `Queued since ${moment(task!.modified_at)}`;
  const fact = steps.find(({ outcome }) => outcome === 'refuses')?.fact ?? null;
  const more = reason === null || reason === 'already-queued' ? null : `one more would be refused: ${reason}: ${fact}`;
  const pause = pauseOf(explained);
  if (pause !== null) {
    const sentence = `Queued, ${pausedSince(pause)}.`;
    return { kind: 'held', level: 'warn', sentence, reason: null, fact: pause.note ?? more, advice: resumeIt };
  }
  const limit = limitOf(explained);
  if (limit !== null) {
    const at = start?.estimated_start_at ?? null;
    const when = at === null ? '' : `; it may start about ${momentAnd(at, explained)}`;
    const sentence = `${since}, and held by ${limit.what} ${limit.fact}${when}.`;
    return { kind: 'held', level: 'idle', sentence, reason: null, fact: limit.note ?? more, advice: itsTurn };
  }
  const known = { kind: 'queued', reason: null, fact: more } as const;
  if (start?.estimated_start_at != null) {
    const { estimated_start_at: at, before_is_least: least } = start;
    const sentence = `${since}; it starts ${least ? 'after' : 'about'} ${momentAnd(at, explained)}${placeOf(start)}.`;
    return { ...known, level: 'good', sentence, advice: 'nothing: wait for its turn' };
  }
  if (start?.unknown === 'nobody-asks') {
    const what = start.image === null ? `its scheduler` : `its image, ${start.image}`;
    return {
      kind: 'nobody-asks',
      level: 'bad',
      sentence: `${since}, and no worker asks for ${what}.`,
      reason: null,
      fact: `${askedText(start, explained)}; pops that are refused do not count`,
      advice: `start a runner for ${start.image ?? 'this scheduler'}; if one runs, see in its log whether its pops are refused`,
    };
  }
  const why =
    start?.unknown === 'none-handed-out' ? 'none was handed out in the last minutes' : 'it was moved meanwhile';
  return {
    ...known,
    level: 'warn',
    sentence: `${since}; when it starts cannot be told: ${why}.`,
    fact: more ?? (start === null ? null : startSentence(start, Date.parse(explained.asked_at))),
    advice: 'see whether its workers finish what they have: rota workers shows who asks; then ask again',
  };
}

const itsTurn = 'nothing: wait for its turn; rota limits list and rota windows list show what holds tasks';
const resumeIt = 'resume it, once the reason of the pause is gone';

function placeOf({ before, before_is_least: least, image, among }: StartEstimate): string {
  if (before === null) return '';
  return `, ${least ? 'more than ' : ''}${before}${among === 'image' ? ` of image ${image}` : ''} before it`;
}

function askedText({ asked_at: at }: StartEstimate, explained: ExplanationView): string {
  return at === null ? 'none has asked within a week' : `the last one asked ${momentAnd(at, explained)}`;
}

function momentAnd(at: string, { asked_at: now }: ExplanationView): string {
  return `${moment(at)} (${whenOf(at, Date.parse(now))})`;
}

function pauseOf({ in_the_way: ways }: ExplanationView): Way | null {
  return ways.find(({ what }) => what === 'pause') ?? null;
}

const limitOf = ({ in_the_way: ways }: ExplanationView): Way | null =>
  ways.find(({ what }) => what === 'limit' || what === 'window') ?? null;

function pausedSince({ since, by }: Way): string {
  return `paused since ${moment(since ?? null)} by ${by ?? 'an unknown operator'}`;
}

/** In the words of how the scheduler would come to decide. */
function occasion({ trigger }: ExplanationView): string {
  return trigger === 'schedule' ? 'when it is due' : 'on an event about it';
}

function refused(explained: ExplanationView): Verdict {
  const { steps, reason, next_run_at: next } = explained;
  const fact = steps.find(({ outcome }) => outcome === 'refuses')?.fact ?? null;
  if (reason === null) {
    const sentence = `It would not be queued ${occasion(explained)}: its raw file asks for something else.`;
    return { kind: 'refused', level: 'idle', sentence, reason, fact, advice: 'nothing' };
  }
  const { says, deed } = adviceOn[reason];
  if (reason === 'grace-period' || reason === 'failing') {
    const then = next === null ? '' : `; its schedule is due ${momentAnd(next, explained)}`;
    const sentence = `It waits for its time: ${says}${then}.`;
    return { kind: 'waits', level: reason === 'failing' ? 'warn' : 'idle', sentence, reason, fact, advice: deed };
  }
  const sentence = `It would not be queued ${occasion(explained)}: ${says}.`;
  return { kind: 'refused', level: isOfTime(reason) ? 'idle' : 'bad', sentence, reason, fact, advice: deed };
}

function unknown(explained: ExplanationView): Verdict {
  const open = explained.steps.find(({ outcome }) => outcome === 'unanswered');
  return {
    kind: 'unknown',
    level: 'warn',
    sentence: `It cannot be told whether it would be queued ${occasion(explained)}: ${silentOne(open, explained)} does not answer.`,
    reason: null,
    fact: open?.fact ?? null,
    advice: 'see whether that service and its actor run (rota status); Rota tries again by itself',
  };
}

/** The service of each rule that asks one; the fact has its words. */
const asks: Readonly<Record<string, string>> = {
  boefje: 'Katalogus',
  organisation: 'Katalogus',
  ooi: 'Octopoes',
  'last run': 'Bytes',
};

function silentOne(step: ExplanationStep | undefined, { scheduler }: ExplanationView): string {
  if (step === undefined || step.rule === 'actor') return `actor ${scheduler}`;
  return asks[step.rule] ?? `what rule ${step.rule} asks`;
}

function free(explained: ExplanationView): Verdict {
  const { trigger, next_run_at: next, asked_at: now } = explained;
  const due = next === null ? null : momentAnd(next, explained);
  const late = next !== null && Date.parse(next) <= Date.parse(now);
  const pause = pauseOf(explained);
  const clear = { reason: null, fact: null } as const;
  if (pause !== null) {
    const sentence = `It would be queued ${occasion(explained)}, and held: ${pausedSince(pause)}.`;
    return { kind: 'held', level: 'warn', sentence, reason: null, fact: pause.note ?? null, advice: resumeIt };
  }
  const limit = limitOf(explained);
  if (limit !== null) {
    const sentence = `It would be queued ${occasion(explained)}, and held by ${limit.what} ${limit.fact}.`;
    return { kind: 'held', level: 'idle', sentence, reason: null, fact: limit.note ?? null, advice: itsTurn };
  }
  if (late) {
    const sentence = `Its schedule was due ${due}, and it would be queued now: the scheduler is late.`;
    return { ...clear, kind: 'waits', level: 'warn', sentence, advice: 'see whether its actor runs: rota status' };
  }
  if (trigger === 'schedule' && due !== null) {
    const sentence = `It waits for its time: its schedule is due ${due}, and it would be queued then.`;
    return { ...clear, kind: 'waits', level: 'idle', sentence, advice: 'wait, or queue it once by hand' };
  }
  const then = due === null ? '' : `; its schedule is due ${due}`;
  const sentence = `Nothing is in its way: it would be queued ${occasion(explained)}, and none has come${then}.`;
  // A raw file may become several tasks: one is queued by hand for one normalizer.
  const byHand = explained.hash === null ? 'name a normalizer and queue it' : 'queue it once by hand';
  const advice = `see whether events reach Rota (rota status), or ${byHand}`;
  return { ...clear, kind: 'free', level: 'idle', sentence, advice };
}

/** When a queued task starts, or why that cannot be told. */
export function startSentence(start: StartEstimate, now?: number): string {
  const { estimated_start_at: at, before_is_least: least, per_second: rate, over_seconds: seconds } = start;
  const kind = start.among === 'image' ? `of image ${start.image} ` : '';
  const place = start.before === null ? '' : `${least ? 'more than ' : ''}${start.before} ${kind}before it`;
  if (at !== null) {
    const when = `${moment(at)} (${whenOf(at, now)})`;
    if (rate === null) return `It may start about ${when}, by its limits.`;
    return `It starts ${least ? 'after' : 'about'} ${when}: ${place} at ${rateOf(rate)}, as over the last ${age(seconds)}.`;
  }
  const what = start.image === null ? 'its scheduler' : `image ${start.image}`;
  const asked = start.asked_at === null ? null : `${moment(start.asked_at)} (${whenOf(start.asked_at, now)})`;
  const why = {
    'not-queued': 'it is not queued',
    held: 'a pause holds it',
    limited: 'a limit holds it whose pace is not known',
    // Of pops that were refused none is kept.
    'nobody-asks':
      asked === null
        ? `no pop for ${what} was admitted within the last week`
        : `no pop for ${what} was admitted since ${asked}`,
    'none-handed-out': `none ${kind}was handed out in the last minutes; a worker last asked at ${asked}`,
  }[start.unknown!];
  return `When it starts cannot be told${place === '' ? '' : `, with ${place}`}: ${why}.`;
}
