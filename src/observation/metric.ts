import type { EventName, EventOf, RotaEvent } from '../telemetry/events.ts';
import type { Readings } from './readings.ts';

/** Labels, and a value: what a counter moves by, what a histogram observes, what a gauge shows. */
export type Sample<Label extends string = string> = readonly [
  labels: Readonly<Record<Label, string | number>>,
  value: number,
];

interface Description<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
}

/** Moves with a telemetry event. */
export interface EventMetric extends Description<string> {
  readonly type: 'counter' | 'histogram';
  readonly buckets?: readonly number[];
  readonly zeroes?: readonly Sample[0][];
  readonly on: EventName;
  readonly samples: (event: RotaEvent) => readonly Sample[];
}

/** Is read at each scrape. A counter that somebody else keeps starts again with whoever keeps it. */
export interface ScrapeMetric extends Description<string> {
  readonly type: 'counter' | 'gauge';
  readonly of: keyof Readings;
  readonly samples: (reading: never) => readonly Sample[];
}

type Answer<Of extends keyof Readings> = Awaited<ReturnType<Readings[Of]>>;

interface ByEvent<Name extends EventName, Label extends string> extends Description<Label> {
  readonly on: Name;
  readonly samples: (event: EventOf<Name>) => readonly Sample<Label>[];
}

interface ByReading<Of extends keyof Readings, Label extends string> extends Description<Label> {
  readonly of: Of;
  readonly samples: (reading: Answer<Of>) => readonly Sample<Label>[];
}

/** `zeroes`: labels that are shown before the first event, so that `increase` sees it. */
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

/** A total that only grows, kept by the part that is read. */
export function totals<Of extends keyof Readings, const Label extends string>(
  definition: ByReading<Of, Label>,
): ScrapeMetric {
  return { type: 'counter', ...definition };
}
