/**
 * What one request, one client and all clients may cost over REST (docs/security.md). The budget of filters is in src/queue,
 * since NATS has the same.
 */
export const budgets = {
  /** A push of a raw file's metadata is some kilobytes; a whole Task given back carries the OOI too. */
  bodyBytes: 2 * 1024 * 1024,
  /** Of a route that needs no body, and of a log-in: a body that comes all the same is read up to this. */
  smallBodyBytes: 4_096,
  /** Request line and headers; Node answers 431. Room for the statistics of 500 organisations. */
  headerBytes: 16 * 1024,
  /** Without the query. The longest path of ours has a scheduler's id in it. */
  pathCharacters: 2_000,
  /** Ids, names, crons. Of organisations and OOIs: src/tasks/limits.ts. */
  textCharacters: 1_024,
  /** Of a whole sentence: mula's longest repeats a cron that does not parse. */
  detailBytes: 2_500,
  /** Faults that one answer lists; readers of lists stop there, too: 90 kB of faulty conditions made an answer of 9.8 MB. */
  faults: 20,
  /** Of all faults that one answer lists. */
  detailsBytes: 7_000,
  /** Unanswered requests, counted before their bodies are read: parsed they are five times as large. */
  inFlight: 10_000,
  inFlightBytes: 16 * 1024 * 1024,
  /** More than the queue parks of three schedulers. Pops have a bound of their own, so that they take no place from pushes. */
  pops: 40_000,
  /** Of one client, at any share: a queue parks 10 000 pops of all clients. */
  popsOfClient: 2_000,
  /** Operators' commands at once: they share the connections to the database with pauses and schedules. */
  commands: 32,
  /** Of one client, at any share. */
  commandsOfClient: 8,
  /** Distinct filters of one client's pops: each makes a claim of its own whenever a task is queued. */
  filtersOfClient: 100,
  /** Answers that their clients have not read yet: room for eight of the longest. */
  answerBytes: 64 * 1024 * 1024,
  /** After this an answer that has not left is given up, and its connection closed. */
  answerLeavesMs: 30_000,
  /** A pop that waits has one connection; an idle connection takes 20 kB. */
  connections: 50_000,
  /** For a request to arrive whole: a slow sender holds its connection, and the body's length of its share. */
  requestTimeoutMs: 30_000,
  /** For its headers. */
  headersTimeoutMs: 10_000,
} as const;
