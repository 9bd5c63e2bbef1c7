import { excerpt } from '../printable.ts';

/**
 * What one request, one client and all of them may cost over REST (docs/security.md). What filters may cost is said in
 * src/queue, since NATS has the same.
 */
export const budgets = {
  /** A push of a raw file's metadata is some kilobytes; a whole Task given back carries the OOI too. */
  bodyBytes: 2 * 1024 * 1024,
  /** Of a route that reads none, or a log-in: what a client sends all the same is read, and no more than that. */
  smallBodyBytes: 4_096,
  /** Request line and headers; Node answers 431. Room for the statistics of 500 organisations. */
  headerBytes: 16 * 1024,
  /** Without the query. The longest of ours has a scheduler's id in it. */
  pathCharacters: 2_000,
  /** Ids, names, crons. Of organisations and OOIs: src/tasks/lengths.ts. */
  textCharacters: 1_024,
  /** Of a path in a line of the log. */
  echoCharacters: 200,
  /** Of a whole sentence: mula's longest has a cron that does not parse in it twice. */
  detailCharacters: 2_500,
  /** Faults of one request that an answer lists, and at which readers of lists stop: 90 kB of faulty conditions made an answer of 9.8 MB. */
  faults: 20,
  /** Bodies of requests that are not answered, from before they are read: parsed they are five times as large. */
  inFlight: 10_000,
  inFlightBytes: 16 * 1024 * 1024,
  /** Above what the queue parks of three schedulers: pops that wait take no place from pushes. */
  pops: 40_000,
  /** Of one client, at any share: a queue parks 10 000, and others wait there too. */
  popsOfClient: 2_000,
  /** Of each client's pops: each is a claim of its own whenever something is queued. */
  filtersOfClient: 100,
  /** Answers that their clients have not read yet: eight of the longest. */
  answerBytes: 64 * 1024 * 1024,
  /** For an answer to leave: its connection is closed then. */
  answerLeavesMs: 30_000,
  /** One pop that waits is one connection; an idle one is 20 kB. */
  connections: 50_000,
  /** For a request to arrive whole: a client that trickles holds its connection and, of its share, the body's length. */
  requestTimeoutMs: 30_000,
} as const;

export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${excerpt(text, most)} (${text.length} characters)`;
}
