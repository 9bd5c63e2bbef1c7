import type { EventName, EventOf, RotaEvent } from '../telemetry/events.ts';
import type { Readings } from './readings.ts';

/** Labels, and the increment of a counter, the observation of a histogram or the value of a gauge. */
export type Sample<Label extends string = string> = readonly [
  labels: Readonly<Record<Label, string | number>>,
  value: number,
];

interface Description<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
}

/** Updated by a telemetry event. */
export interface EventMetric extends Description<string> {
  readonly type: 'counter' | 'histogram';
  readonly buckets?: readonly number[];
  readonly zeroes?: readonly Sample[0][];
  readonly on: EventName;
  readonly samples: (event: RotaEvent) => readonly Sample[];
}

/** Read at each scrape. A counter starts at 0 again when the part that keeps it restarts. */
export interface ScrapeMetric extends Description<string> {
  readonly type: 'counter' | 'gauge';
  readonly of: keyof Readings;
  readonly samples: (reading: never) => readonly Sample[];
}

type ReadingAnswer<Of extends keyof Readings> = Awaited<ReturnType<Readings[Of]>>;

interface ByEvent<Name extends EventName, Label extends string> extends Description<Label> {
  readonly on: Name;
  readonly samples: (event: EventOf<Name>) => readonly Sample<Label>[];
}

interface ByReading<Of extends keyof Readings, Label extends string> extends Description<Label> {
  readonly of: Of;
  readonly samples: (reading: ReadingAnswer<Of>) => readonly Sample<Label>[];
}

/** `zeroes`: labels that start at 0 before the first event, so that `increase` sees it. */
export function counts<Name extends EventName, const Label extends string>(
  definition: ByEvent<Name, Label> & { readonly zeroes?: readonly Sample<Label>[0][] },
): EventMetric {
  return { type: 'counter', ...definition, samples: (event) => definition.samples(event as EventOf<Name>) };
}

export function observes<Name extends EventName, const Label extends string>(
  definition: ByEvent<Name, Label> & { readonly buckets: readonly number[] },
): EventMetric {
  return { type: 'histogram', ...definition, samples: (event) => definition.samples(event as EventOf<Name>) };
}

export function shows<Of extends keyof Readings, const Label extends string>(
  definition: ByReading<Of, Label>,
): ScrapeMetric {
  return { type: 'gauge', ...definition };
}

/**
 * Names that clients choose, as labels: the first `most` that this process meets, so that no client decides how many series there are.
 * The others are `other`.
 */
export function firstOf(most: number): (name: string) => string {
  const known = new Set<string>();
  return (name) => {
    if (known.size < most) known.add(name);
    return known.has(name) ? name : 'other';
  };
}

/** A total that the part that is read keeps. */
export function totals<Of extends keyof Readings, const Label extends string>(
  definition: ByReading<Of, Label>,
): ScrapeMetric {
  return { type: 'counter', ...definition };
}
