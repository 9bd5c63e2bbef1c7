import type { StreamStatus } from '../events/source.ts';
import type { ActorStatus } from '../supervisor/supervision.ts';
import { on } from '../telemetry/events.ts';

/** A part that is down, and why. */
interface Problem {
  /** `database`, `nats`, `broker`, or a scheduler's id. */
  readonly part: string;
  readonly reason: string;
}

interface HealthOptions {
  readonly version: string;
  /** Rejects or hangs while the queue cannot work in the database. */
  database(): PromiseLike<unknown>;
  natsConnected(): boolean;
  actors(): readonly Pick<ActorStatus, 'name' | 'phase' | 'lastFailure'>[];
  /** Of those actors that answer. */
  streams(): Promise<readonly Pick<StreamStatus, 'source' | 'connected' | 'lastError'>[]>;
  /** Streams into which KAT must be able to publish before this supervisor is ready. */
  readonly awaited: readonly string[];
  /** See Health. Never rejects. */
  externals(): Promise<Readonly<Record<string, boolean>>>;
}

/** What GET /health and GET /ready ask. */
export interface Health {
  readonly version: string;
  /** Empty is healthy. An event source that is not configured is no problem. Never rejects. */
  problems(): Promise<readonly Problem[]>;
  /** Whether each configured service of KAT reports at /health that it is healthy. */
  externals(): Promise<Readonly<Record<string, boolean>>>;
  /** Why Rota cannot take pops, pushes or KAT events; empty is ready. Events count only until their queues exist. */
  notReady(): Promise<readonly string[]>;
}

/** Follows the event sources until it is stopped. */
interface SupervisorHealth extends Health {
  /** Whether the two dependencies of everything answer. Never rejects. */
  links(): Promise<Readonly<Record<'database' | 'nats', boolean>>>;
  stop(): void;
}

const withinMs = 2_000;

/** An outage of the broker or of an actor is unhealthy but not unready: pops and pushes go on, and a restart would not help. */
export function createHealth(options: HealthOptions): SupervisorHealth {
  const lost = new Map<string, string>();
  const undeclared = new Set(options.awaited);
  const ends = [
    on('source.declared', ({ stream }) => undeclared.delete(stream)),
    on('source.lost', ({ source, message }) => lost.set(source, message)),
    on('source.connected', ({ source }) => lost.delete(source)),
  ];
  const database = () => reasonFor(Promise.resolve(options.database()));
  /** Reasons by source, of those that are down: the connection is lost, or it is open and nothing is consumed. */
  const sourcesAway = async (): Promise<ReadonlyMap<string, string>> => {
    const streams = await options.streams().catch(() => []);
    const idle = streams
      .filter(({ connected }) => !connected)
      .map(({ source, lastError }) => [source, lastError ?? 'does not consume yet'] as const);
    return new Map([...idle, ...lost]);
  };
  return {
    version: options.version,
    async problems() {
      const [reason, away] = await Promise.all([database(), sourcesAway()]);
      return [
        ...(reason === null ? [] : [{ part: 'database', reason }]),
        ...(options.natsConnected() ? [] : [{ part: 'nats', reason: 'connection lost: reconnecting' }]),
        ...[...away].map(([source, message]) => ({ part: 'broker', reason: `${source}: ${message}` })),
        ...options
          .actors()
          .filter(({ phase }) => phase === 'restarting' || phase === 'down' || phase === 'stopped')
          .map(({ name, phase, lastFailure }) => ({
            part: name,
            reason: `actor is ${phase}${lastFailure === null ? '' : `: ${lastFailure.message}`}`,
          })),
      ];
    },
    links: async () => ({ database: (await database()) === null, nats: options.natsConnected() }),
    externals: options.externals,
    async notReady() {
      const reason = await database();
      return [
        ...(reason === null ? [] : [`database: ${reason}`]),
        // What KAT publishes before the queue exists is lost. Once it exists, the broker may come and go.
        ...[...undeclared].map((stream) => `broker: what KAT publishes ${stream} into is not there yet`),
      ];
    },
    stop() {
      for (const end of ends) end();
    },
  };
}

/** Null if it answered in time. */
async function reasonFor(asked: Promise<unknown>): Promise<string | null> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(new Error(`no answer within ${withinMs} ms`)), withinMs);
  try {
    await Promise.race([asked, timeout.promise]);
    return null;
  } catch (error) {
    return (error as Error).message;
  } finally {
    clearTimeout(timer);
  }
}
