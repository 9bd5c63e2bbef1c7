import type { ScrapeMetric } from './metric.ts';
import { shows, totals } from './metric.ts';

const circuitStates = ['closed', 'open', 'half-open'] as const;

/** Read at each scrape, inside the actors' threads: one that does not answer has no samples. */
export const metricsOfActors: readonly ScrapeMetric[] = [
  shows({
    name: 'rota_actor_up',
    help: '1 while the scheduler’s actor runs',
    labels: ['actor'],
    of: 'actors',
    samples: (actors) => actors.map(({ name, phase }) => [{ actor: name }, phase === 'running' ? 1 : 0]),
  }),
  totals({
    name: 'rota_actor_restarts_total',
    help: 'Threads started after the actor’s first one',
    labels: ['actor'],
    of: 'actors',
    samples: (actors) => actors.map(({ name, restarts }) => [{ actor: name }, restarts]),
  }),
  shows({
    name: 'rota_actor_requests',
    help: 'Requests to the supervisor that the actor waits for',
    labels: ['actor'],
    of: 'insides',
    samples: (insides) => insides.map(({ actor, requests }) => [{ actor }, requests.pending]),
  }),
  shows({
    name: 'rota_mailbox_depth',
    help: 'Messages in an actor’s mailbox by lane: queued, waiting for a place, or in hand',
    labels: ['actor', 'lane', 'state'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, lanes }) =>
        lanes.flatMap(({ kind: lane, queued, waiting, inHand }) => [
          [{ actor, lane, state: 'queued' }, queued] as const,
          [{ actor, lane, state: 'waiting' }, waiting] as const,
          [{ actor, lane, state: 'in-hand' }, inHand] as const,
        ]),
      ),
  }),
  shows({
    name: 'rota_mailbox_oldest_seconds',
    help: 'How long the oldest queued message of a lane has waited',
    labels: ['actor', 'lane'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, lanes }) =>
        lanes.map(({ kind: lane, oldestMs }) => [{ actor, lane }, oldestMs / 1_000] as const),
      ),
  }),
  totals({
    name: 'rota_mailbox_wait_seconds_total',
    help: 'How long messages had waited when they were handed over, added up: divide by those handled',
    labels: ['actor', 'lane'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, lanes }) =>
        lanes.map(({ kind: lane, waitedMs }) => [{ actor, lane }, waitedMs / 1_000] as const),
      ),
  }),
  totals({
    name: 'rota_mailbox_handled_total',
    help: 'Messages settled by lane: done or failed',
    labels: ['actor', 'lane', 'outcome'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, lanes }) =>
        lanes.flatMap(({ kind: lane, done, failed }) => [
          [{ actor, lane, outcome: 'done' }, done] as const,
          [{ actor, lane, outcome: 'failed' }, failed] as const,
        ]),
      ),
  }),
  shows({
    name: 'rota_event_source_connected',
    help: '1 while the actor consumes the stream',
    labels: ['actor', 'stream'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, streams }) =>
        streams.map(({ stream, connected }) => [{ actor, stream }, connected ? 1 : 0] as const),
      ),
  }),
  shows({
    name: 'rota_event_backlog',
    help: 'Event source lag, over all supervisors: events that wait in the broker, are to be tried again, or were given up',
    labels: ['stream', 'state'],
    of: 'backlog',
    samples: (backlog) =>
      backlog.flatMap(({ stream, waiting, retrying, dead }) =>
        Object.entries({ waiting, retrying, dead }).flatMap(([state, count]) =>
          count === null ? [] : [[{ stream, state }, count] as const],
        ),
      ),
  }),
  shows({
    name: 'rota_events_in_hand',
    help: 'Events that are delivered and not settled',
    labels: ['actor', 'stream'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, streams }) =>
        streams.map(({ stream, inHand }) => [{ actor, stream }, inHand] as const),
      ),
  }),
  totals({
    name: 'rota_events_total',
    help: 'Events settled: done, retried or dead',
    labels: ['actor', 'stream', 'outcome'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, streams }) =>
        streams.flatMap(({ stream, done, retried, deadLettered }) => [
          [{ actor, stream, outcome: 'done' }, done] as const,
          [{ actor, stream, outcome: 'retried' }, retried] as const,
          [{ actor, stream, outcome: 'dead' }, deadLettered] as const,
        ]),
      ),
  }),
  shows({
    name: 'rota_circuit_state',
    help: '1 for the state in which the actor’s circuit to a service of KAT is: closed, open, half-open',
    labels: ['actor', 'service', 'state'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, services }) =>
        services.flatMap(({ service, circuit }) =>
          circuitStates.map((state) => [{ actor, service, state }, state === circuit ? 1 : 0] as const),
        ),
      ),
  }),
  shows({
    name: 'rota_service_requests',
    help: 'Requests to a service of KAT that have no answer yet',
    labels: ['actor', 'service'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, services }) =>
        services.map(({ service, inFlight }) => [{ actor, service }, inFlight] as const),
      ),
  }),
];
