import { brokerTlsOf, type Config, supervisorNatsAuth } from '../config/config.ts';
import type { EventSettings } from '../events/broker-choice.ts';
import type { ServiceSettings } from '../kat/request.ts';
import { readTlsFiles } from '../tls-files.ts';
import type { ThreadSettings } from './thread-data.ts';

/**
 * Cuts the slice of the configuration that scheduler threads get. `natsUrl`: the NATS in use, embedded or not. `clock`: memory
 * of the SharedClock.
 */
export function threadSettings(config: Config, natsUrl: string, clock: SharedArrayBuffer): ThreadSettings {
  return {
    scheduler: {
      gracePeriodSeconds: config.SCHEDULER_PQ_GRACE_PERIOD,
      jitterSeconds: config.SCHEDULER_PQ_JITTER,
    },
    kat: {
      katalogus: service(
        config.KATALOGUS_API,
        config.SCHEDULER_KATALOGUS_REQUEST_TIMEOUT,
        config.SCHEDULER_KATALOGUS_POOL_CONNECTIONS,
      ),
      octopoes: service(
        config.OCTOPOES_API,
        config.SCHEDULER_OCTOPOES_REQUEST_TIMEOUT,
        config.SCHEDULER_OCTOPOES_POOL_CONNECTIONS,
      ),
      bytes: service(config.BYTES_API, config.SCHEDULER_BYTES_REQUEST_TIMEOUT, config.SCHEDULER_BYTES_POOL_CONNECTIONS),
      bytesUser: config.BYTES_USERNAME ?? null,
      bytesPassword: config.BYTES_PASSWORD ?? null,
    },
    events: events(config, natsUrl),
    mailbox: { capacity: config.SCHEDULER_MAILBOX_CAPACITY },
    log: { format: config.SCHEDULER_LOGGING_FORMAT, debug: config.DEBUG },
    traces: config.SPAN_EXPORT_GRPC_ENDPOINT !== undefined,
    clock,
  };
}

function service(url: string | undefined, timeoutSeconds: number, connections: number): ServiceSettings | null {
  return url === undefined ? null : { url, timeoutMs: timeoutSeconds * 1_000, connections };
}

function events(config: Config, natsUrl: string): EventSettings | null {
  const kind = config.SCHEDULER_EVENTS;
  if (kind === 'amqp' && config.QUEUE_URI === undefined) return null;
  return {
    kind,
    amqpUrl: config.QUEUE_URI ?? null,
    amqpTls: readTlsFiles(brokerTlsOf(config), 'QUEUE_TLS'),
    natsServers: natsUrl,
    natsAuth: supervisorNatsAuth(config),
    prefix: config.SCHEDULER_NATS_PREFIX,
    prefetch: config.SCHEDULER_RABBITMQ_PREFETCH_COUNT,
    maxAttempts: config.SCHEDULER_EVENT_MAX_ATTEMPTS,
  };
}
