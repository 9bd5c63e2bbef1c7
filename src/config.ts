import { z } from 'zod';
import { RotaError } from './errors.ts';

/**
 * The environment, read once into one frozen Config. mula's variables keep their names and defaults (kat
 * contract); ours stand beside them. Nothing else in Rota reads process.env. A wrong variable stops the start with its
 * name, its value (secrets redacted) and what was expected: exit 78.
 */

const seconds = (fallback: number) => z.coerce.number().min(0).default(fallback);
const count = (fallback: number, least = 0) => z.coerce.number().int().min(least).default(fallback);
const flag = (fallback: boolean) =>
  z
    .enum(['true', 'false', '1', '0', 'yes', 'no', 'on', 'off'])
    .transform((value) => ['true', '1', 'yes', 'on'].includes(value))
    .default(fallback);
const url = (...protocols: string[]) =>
  z.string().refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), {
    error: `a URL with ${protocols.join(' or ')}`,
  });
const optional = <T extends z.ZodType>(schema: T) => schema.optional();

export const environment = z.object({
  SCHEDULER_DB_URI: optional(url('postgres:', 'postgresql:')).describe('Postgres; embedded where absent'),
  SCHEDULER_DB_DSN: optional(url('postgres:', 'postgresql:')).describe('older name of SCHEDULER_DB_URI'),
  SCHEDULER_DB_CONNECTION_POOL_SIZE: count(25, 4).describe('Postgres connections of one supervisor, all told'),
  DATABASE_MIGRATION: flag(true).describe('migrate at start'),
  NATS_URL: optional(url('nats:', 'tls:', 'ws:', 'wss:')).describe('NATS; embedded where absent'),
  NATS_CREDS: optional(z.string()).describe('path of a NATS credentials file'),
  NATS_USER: optional(z.string()).describe('NATS user'),
  NATS_PASSWORD: optional(z.string()).describe('NATS password'),
  NATS_TOKEN: optional(z.string()).describe('NATS token'),
  NATS_INBOX_PREFIX: optional(z.string().min(1)).describe(
    'where replies to Rota go; for a NATS user that may not subscribe to `_INBOX.>`',
  ),
  SCHEDULER_NATS_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/)
    .default('rota')
    .describe('subject prefix'),
  QUEUE_URI: optional(url('amqp:', 'amqps:')).describe('RabbitMQ, for KAT events'),
  SCHEDULER_RABBITMQ_DSN: optional(url('amqp:', 'amqps:')).describe('older name of QUEUE_URI'),
  SCHEDULER_RABBITMQ_PREFETCH_COUNT: count(100, 1).describe('unacknowledged events per queue'),
  SCHEDULER_EVENTS: z.enum(['amqp', 'jetstream']).default('amqp').describe('where KAT events come from'),
  SCHEDULER_EVENT_MAX_ATTEMPTS: count(3, 1).describe('tries of one event before it is dead-lettered'),
  KATALOGUS_API: optional(url('http:', 'https:')).describe('Katalogus'),
  OCTOPOES_API: optional(url('http:', 'https:')).describe('Octopoes'),
  BYTES_API: optional(url('http:', 'https:')).describe('Bytes'),
  BYTES_USERNAME: optional(z.string()).describe('Bytes user'),
  BYTES_PASSWORD: optional(z.string()).describe('Bytes password'),
  SCHEDULER_KATALOGUS_REQUEST_TIMEOUT: seconds(10).describe('seconds'),
  SCHEDULER_OCTOPOES_REQUEST_TIMEOUT: seconds(10).describe('seconds'),
  SCHEDULER_BYTES_REQUEST_TIMEOUT: seconds(10).describe('seconds'),
  SCHEDULER_KATALOGUS_POOL_CONNECTIONS: count(10, 1).describe('requests in flight'),
  SCHEDULER_OCTOPOES_POOL_CONNECTIONS: count(10, 1).describe('requests in flight'),
  SCHEDULER_BYTES_POOL_CONNECTIONS: count(10, 1).describe('requests in flight'),
  SCHEDULER_API_HOST: z.string().default('0.0.0.0').describe('REST address'),
  SCHEDULER_API_PORT: z.coerce.number().int().min(0).max(65535).default(8000).describe('REST port'),
  SCHEDULER_API_TOKEN: optional(z.string().min(1)).describe('bearer token of the REST API; open where absent'),
  DEBUG: flag(false).describe('log at debug'),
  SCHEDULER_LOGGING_FORMAT: z.enum(['text', 'json']).default('text').describe('log lines'),
  SCHEDULER_COLLECT_METRICS: flag(true).describe('collect metrics'),
  SPAN_EXPORT_GRPC_ENDPOINT: optional(url('http:', 'https:')).describe(
    'OTLP gRPC endpoint of traces; none where absent',
  ),
  SCHEDULER_PQ_GRACE_PERIOD: seconds(86_400).describe('seconds before a boefje runs on an OOI again'),
  SCHEDULER_PQ_JITTER: seconds(18_000).describe('seconds of random delay at most on top of the grace period'),
  SCHEDULER_PQ_MAXSIZE: count(0).describe('queued tasks per scheduler; 0 is unlimited'),
  SCHEDULER_LEASE_SECONDS: seconds(60).describe('lease of a pop over NATS that names none'),
  SCHEDULER_START_WITHIN_SECONDS: seconds(3_600).describe(
    'a task popped over REST and not patched for so long is queued again; 0 is the grace period, which it never exceeds',
  ),
  SCHEDULER_MAX_ATTEMPTS: count(3, 1).describe('claims of one task before an expired lease fails it'),
  SCHEDULER_RETENTION_DAYS: count(0).describe(
    'finished tasks, and schedules that Rota disabled, are removed when they are older; 0 keeps them',
  ),
  SCHEDULER_RANKING_THREADS: count(1, 1).describe('threads of the ranking pool'),
  SCHEDULER_CLAIMS_IN_FLIGHT: count(4, 1).describe('claims of one scheduler that run at once'),
  SCHEDULER_CLAIM_BATCH: count(1_000, 1).describe('units of one claim at most'),
  SCHEDULER_WRITES_IN_FLIGHT: count(4, 1).describe('sets of pushes, and of patches, that run at once'),
  SCHEDULER_PUSH_BATCH: count(1_000, 1).describe('tasks of one push statement at most'),
  SCHEDULER_MAILBOX_CAPACITY: count(1_000, 1).describe('messages an actor holds before senders wait'),
  SCHEDULER_ACTORS: optional(z.string()).describe(
    'schedulers to run, comma-separated; all folders of actors/ where absent',
  ),
  NODE_ENV: optional(z.string()).describe('production refuses to start embedded services'),
});

type Environment = z.output<typeof environment>;

export type Config = Readonly<
  Omit<Environment, 'SCHEDULER_DB_DSN' | 'SCHEDULER_RABBITMQ_DSN'> & {
    /** SCHEDULER_<SCHEDULER>_RANKER by scheduler id. */
    readonly rankers: Readonly<Record<string, string>>;
  }
>;

/** URLs may carry a password, those of the KAT services too. */
/** Variables whose values are never shown whole. */
export const secretNames = /PASSWORD|TOKEN|CREDS|URI|DSN|URL|_API$|ENDPOINT/;
const rankerName = /^SCHEDULER_([A-Z0-9_]+)_RANKER$/;

/** @throws RotaError BAD_CONFIG that names every wrong variable. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const rankers: Record<string, string> = {};
  const picked: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === '') continue;
    const ranker = rankerName.exec(name);
    if (ranker) rankers[ranker[1]!.toLowerCase().replaceAll('_', '-')] = value;
    else if (name in environment.shape) picked[name] = value;
  }
  const parsed = environment.safeParse(picked);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      const shown = secretNames.test(name) ? '<redacted>' : JSON.stringify(picked[name]);
      return `${name}=${shown}: expected ${issue.message}`;
    });
    throw new RotaError('BAD_CONFIG', `wrong configuration\n  ${lines.join('\n  ')}`, {
      fields: { variables: parsed.error.issues.map((issue) => String(issue.path[0])) },
    });
  }
  const { SCHEDULER_DB_DSN, SCHEDULER_RABBITMQ_DSN, ...rest } = parsed.data;
  const database = rest.SCHEDULER_DB_URI ?? SCHEDULER_DB_DSN;
  const broker = rest.QUEUE_URI ?? SCHEDULER_RABBITMQ_DSN;
  return Object.freeze({
    ...rest,
    ...(database === undefined ? {} : { SCHEDULER_DB_URI: database }),
    ...(broker === undefined ? {} : { QUEUE_URI: broker }),
    rankers: Object.freeze(rankers),
  });
}

/** Seconds within which a runner over REST begins what it popped. */
export function startWithinSeconds(
  config: Pick<Config, 'SCHEDULER_START_WITHIN_SECONDS' | 'SCHEDULER_PQ_GRACE_PERIOD'>,
): number {
  const { SCHEDULER_START_WITHIN_SECONDS: within, SCHEDULER_PQ_GRACE_PERIOD: longest } = config;
  return within === 0 ? longest : Math.min(within, longest);
}

/** Who we are to NATS. Secrets in it never reach logs or errors. */
export interface NatsAuth {
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** Path of a credentials file. */
  readonly credsFile?: string | undefined;
  /** Where replies go: a user that may not subscribe to `_INBOX.>` has one of its own (docs/nats-permissions.conf). */
  readonly inboxPrefix?: string | undefined;
}

export function natsAuthOf(config: Config): NatsAuth {
  return {
    user: config.NATS_USER,
    password: config.NATS_PASSWORD,
    token: config.NATS_TOKEN,
    credsFile: config.NATS_CREDS,
    inboxPrefix: config.NATS_INBOX_PREFIX,
  };
}
