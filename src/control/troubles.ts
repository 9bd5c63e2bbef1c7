import type { ActorView, Finding, SourceView } from '../protocol/operator-status.ts';
import { age, moment } from './wording.ts';

/** What is wrong with a part of one supervisor. Those with the same `about` and `what` have one cause, wherever they are seen. */
export interface Trouble {
  readonly level: Finding['level'];
  readonly about: string;
  readonly what: string;
  /** The actor that has it, where `about` does not say it. */
  readonly of: string | null;
  readonly since: string | null;
  readonly why: string | null;
  readonly advice: string;
}

/** A start takes a second or two, and a restart's drain at most ten. */
const passingSeconds = 30;

const isBrokerUp = 'is the broker up? see QUEUE_URI, or NATS_URL where events come over JetStream';

/** `restarts` and the like are no trouble while they are short: each release goes through them. */
export function troublesOfActor(actor: ActorView): readonly Trouble[] {
  const { name, phase, thread } = actor;
  const about = `actor ${name}`;
  const plain = { about, of: null, since: null, why: null };
  if (phase !== 'running') return ofPhase(actor);
  if (thread === null) {
    const advice = `see rota status again in a moment; if it stays so: rota actors restart ${name}`;
    return [{ ...plain, level: 'warning', what: 'does not answer: its thread is busy, or hangs', advice }];
  }
  return [
    ...thread.streams
      .filter(({ connected }) => !connected)
      .map(({ stream, last_error: why }): Trouble => {
        const what = 'not connected';
        return { level: 'problem', about: `events ${stream}`, what, of: name, since: null, why, advice: isBrokerUp };
      }),
    ...thread.services
      .filter(({ circuit }) => circuit !== 'closed')
      .map(({ service, open_since: since, last_error: why }): Trouble => {
        const advice = `is ${service} up? events wait meanwhile, and pops go on`;
        return { level: 'problem', about: service, what: 'circuit open', of: name, since, why, advice };
      }),
  ];
}

function ofPhase({ name, phase, phase_seconds: seconds, retry_at: again, last_failure: failure }: ActorView) {
  const passing = phase !== 'down' && phase !== 'restarting';
  if (passing && seconds !== undefined && seconds < passingSeconds) return [];
  const trouble: Trouble = {
    level: phase === 'down' ? 'problem' : 'warning',
    about: `actor ${name}`,
    what: passing && seconds !== undefined ? `${phase} for ${age(seconds)}` : phase,
    of: null,
    since: null,
    why: failure?.message ?? null,
    advice:
      phase === 'restarting'
        ? `nothing: it starts again ${again === null ? 'by itself' : `at ${moment(again)}`}`
        : `mend its cause, then rota actors restart ${name}`,
  };
  return [trouble];
}

export function troublesOfSource({ source, stream, dead, error, full }: SourceView): readonly Trouble[] {
  const of = { about: source, of: null, since: null, why: null };
  return [
    ...(error === null ? [] : [{ ...of, level: 'problem' as const, what: error, advice: isBrokerUp }]),
    ...(full === null
      ? []
      : [{ ...of, level: 'problem' as const, what: full, advice: 'raise its limits: a full stream takes no event' }]),
    ...((dead ?? 0) > 0
      ? [
          {
            ...of,
            level: 'warning' as const,
            what: `${dead} given up`,
            advice: `rota dead list, then, once their cause is mended, rota dead requeue --stream ${stream}`,
          },
        ]
      : []),
  ];
}

/** Troubles of one cause in a sentence. `on`: where they are seen. */
export function sentenceOf(troubles: readonly Trouble[], on = ''): string {
  const { what, why } = troubles.find((it) => it.why !== null) ?? troubles[0]!;
  const actors = [...new Set(troubles.flatMap(({ of }) => (of === null ? [] : [of])))];
  const since = troubles.flatMap((it) => (it.since === null ? [] : [it.since])).toSorted()[0];
  return [
    what,
    actors.length > 0 && ` for ${actors.join(', ')}`,
    on,
    since !== undefined && ` since ${moment(since)}`,
    why !== null && why !== '' && `: ${why}`,
  ]
    .filter((part) => typeof part === 'string')
    .join('');
}

const mostNamed = 3;

/** `a, b, c and 2 more`. */
export function namesOf(instances: readonly { readonly instance: string }[]): string {
  const names = instances.map(({ instance }) => instance);
  const more = names.length - mostNamed;
  return names.slice(0, mostNamed).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** ` on one`, ` on all 4 supervisors`, ` on 5 of 12 supervisors`; nothing where there is one supervisor. */
export function onOf(instances: readonly string[], all: number): string {
  const on = [...new Set(instances)];
  if (all === 1) return '';
  if (on.length === all) return ` on all ${all} supervisors`;
  return on.length <= mostNamed ? ` on ${on.join(', ')}` : ` on ${on.length} of ${all} supervisors`;
}
