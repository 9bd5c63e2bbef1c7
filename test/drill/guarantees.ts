/** The guarantees of docs/guarantees.md, in its order: what a drill says that broke. */
export const guarantees = [
  'no accepted task is lost',
  'one valid lease',
  'an event is acknowledged after its commit',
  'a worker that lives keeps its task',
  'every request is answered',
  'back within 5 s',
  'memory is bounded',
  'repeats are answered as the first time',
  'a refusing service costs no event, attempt or actor',
  'schedules run once per deadline',
  'the end comes within 10 s and leaves nothing behind',
  'logs report an outage once',
  'what cannot work is refused at the start',
] as const;

export type Guarantee = (typeof guarantees)[number];

export interface Breach {
  readonly guarantee: Guarantee;
  /** What was seen, with its numbers. */
  readonly what: string;
}
