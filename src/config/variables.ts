import { z } from 'zod';
import { secretForm, tokenForm } from '../api-tokens.ts';
import {
  choice,
  count,
  countOrNone,
  defaulting,
  flag,
  matching,
  optional,
  seconds,
  share,
  text,
  formedText,
  url,
  readBrokerUrl,
  readDatabaseUrl,
  readEndpoint,
  readHttpUrl,
  readHttpUrls,
  readNatsServers,
} from './values.ts';

/**
 * Every variable of the environment: its form, its default, what it is. mula's keep their names and defaults (kat contract).
 * docs/configuration.md is generated from this table.
 */

const databaseUrl = () =>
  url(
    'a URL such as `postgresql://user:password@host:5432/database`, several hosts with commas; with SQLAlchemy’s `postgresql+psycopg2:`, too',
    readDatabaseUrl,
  );
const brokerUrl = () => url('a URL such as `amqp://user:password@host:5672/vhost`, or with `amqps:`', readBrokerUrl);
const httpUrl = () => url('a URL with `http:` or `https:`', readHttpUrl);
/** An event that waits for an answer is held for ten minutes at most (src/events/timing.ts). */
const timeout = () => seconds(10, { least: 0.1, most: 600 });
const connections = () => count(10, { least: 1, most: 1_000 });

export const environment = z.object({
  SCHEDULER_DB_URI: databaseUrl().describe('Postgres; embedded where absent'),
  SCHEDULER_DB_DSN: databaseUrl().describe('older name of SCHEDULER_DB_URI'),
  SCHEDULER_DB_CONNECTION_POOL_SIZE: count(25, { least: 4, most: 1_000 }).describe(
    'Postgres connections of one supervisor; three more at need: one asks how the database is, two serve pops that search',
  ),
  DATABASE_MIGRATION: flag(true).describe('migrate at start'),
  NATS_URL: url('URLs with `nats:` or `tls:`, or `host:port`; comma-separated', readNatsServers).describe(
    'NATS; embedded where absent. One with `tls:` requires TLS of all',
  ),
  NATS_CREDS: text().describe('path of a NATS credentials file'),
  NATS_USER: text().describe('NATS user'),
  NATS_PASSWORD: text().describe('NATS password'),
  NATS_TOKEN: text().describe('NATS token'),
  NATS_TLS_CA: text().describe('path of the PEM certificates that NATS is verified by; requires TLS'),
  NATS_TLS_CERT: text().describe('path of our PEM certificate for NATS; requires TLS'),
  NATS_TLS_KEY: text().describe('path of the key of NATS_TLS_CERT'),
  NATS_INBOX_PREFIX: optional(matching('a subject without wildcards', /^[^\s*>]+$/)).describe(
    'where replies to Rota go; for a NATS user that may not subscribe to `_INBOX.>`',
  ),
  NATS_REPLY_PREFIXES: defaulting(
    matching(
      'subjects without wildcards, comma-separated; none begins with `$`',
      /^[^\s*>,$][^\s*>,]*(?:,[^\s*>,$][^\s*>,]*)*$/,
    ),
    '_INBOX',
  ).describe(
    'where answers may go: below one of these; `_INBOX` stands for `_INBOX_<name>` too. Best the inbox of each NATS user (`_INBOX_worker,_INBOX_operator`); with `_R_` for clients of other NATS accounts',
  ),
  NATS_CLIENT_POPS: count(2_000, { least: 1 }).describe(
    'pops of one NATS client in flight, those that wait for work too',
  ),
  NATS_CLIENT_FILTERS: count(100, { least: 1 }).describe('distinct filters of the pops of one NATS client'),
  NATS_CLIENT_REQUESTS: count(4_000, { least: 1 }).describe(
    'heartbeats of one NATS client in flight; and as many pushes, patches and gets',
  ),
  SCHEDULER_NATS_PREFIX: defaulting(matching('letters, digits, `_` and `-`', /^[A-Za-z0-9_-]+$/), 'rota').describe(
    'subject prefix',
  ),
  QUEUE_URI: brokerUrl().describe('RabbitMQ, for KAT events'),
  SCHEDULER_RABBITMQ_DSN: brokerUrl().describe('older name of QUEUE_URI'),
  QUEUE_TLS_CA: text().describe('path of the PEM certificates that RabbitMQ is verified by; requires TLS'),
  QUEUE_TLS_CERT: text().describe('path of our PEM certificate for RabbitMQ; requires TLS'),
  QUEUE_TLS_KEY: text().describe('path of the key of QUEUE_TLS_CERT'),
  SCHEDULER_RABBITMQ_PREFETCH_COUNT: count(100, { least: 1, most: 65_535 }).describe('unacknowledged events per queue'),
  SCHEDULER_EVENTS: choice(['amqp', 'jetstream'], 'amqp').describe('where KAT events come from'),
  SCHEDULER_EVENT_MAX_ATTEMPTS: count(3, { least: 1, most: 1_000 }).describe(
    'tries of one event before it is dead-lettered',
  ),
  KATALOGUS_API: httpUrl().describe('Katalogus'),
  OCTOPOES_API: httpUrl().describe('Octopoes'),
  BYTES_API: httpUrl().describe('Bytes'),
  BYTES_USERNAME: text().describe('Bytes user'),
  BYTES_PASSWORD: text().describe('Bytes password'),
  SCHEDULER_KATALOGUS_REQUEST_TIMEOUT: timeout().describe('seconds'),
  SCHEDULER_OCTOPOES_REQUEST_TIMEOUT: timeout().describe('seconds'),
  SCHEDULER_BYTES_REQUEST_TIMEOUT: timeout().describe('seconds'),
  SCHEDULER_KATALOGUS_POOL_CONNECTIONS: connections().describe('requests in flight'),
  SCHEDULER_OCTOPOES_POOL_CONNECTIONS: connections().describe('requests in flight'),
  SCHEDULER_BYTES_POOL_CONNECTIONS: connections().describe('requests in flight'),
  SCHEDULER_API_HOST: defaulting(matching('an address or a host name', /^[\w.:%-]+$/), '0.0.0.0').describe(
    'REST address',
  ),
  SCHEDULER_API_PORT: count(8000, { most: 65_535 }).describe('REST port; 0 takes a free one'),
  SCHEDULER_API_TOKEN: formedText('1 to 512 printable ASCII characters, no space at either end', tokenForm).describe(
    'bearer token of the REST API that may do everything; open to all where there is no token',
  ),
  SCHEDULER_API_TOKENS: text().describe('tokens with a role each, comma-separated lines of `rota token new`'),
  SCHEDULER_API_TOKENS_FILE: text().describe('path of a file with a line of `rota token new` for each token'),
  SCHEDULER_API_PUBLIC_URL: url('URLs with `http:` or `https:`, comma-separated', readHttpUrls).describe(
    'under which clients reach REST, beside its address: links name them, browsers may write from them, and without tokens other names are refused',
  ),
  SCHEDULER_API_TLS_CERT: text().describe('path of a PEM certificate: REST is `https:`'),
  SCHEDULER_API_TLS_KEY: text().describe('path of its PEM key'),
  SCHEDULER_API_CLIENT_SHARE: share(0.5).describe(
    'of what all REST clients together may have in flight, what one token or address may; 1 where a proxy hides addresses',
  ),
  SCHEDULER_PAGE_PORT: countOrNone({ most: 65_535 }).describe(
    'port of the operations page; 0 takes a free one, and there is no page where absent',
  ),
  SCHEDULER_PAGE_HOST: defaulting(matching('an address or a host name', /^[\w.:%-]+$/), '127.0.0.1').describe(
    'address of the operations page; with another than loopback it needs tokens of the REST API, which log in to it',
  ),
  SCHEDULER_PAGE_SECRET: formedText(
    '32 to 512 printable ASCII characters, no space at either end',
    secretForm,
  ).describe(
    'signs the sessions of the page; one for all supervisors behind one address. Sessions end with the process where absent',
  ),
  SCHEDULER_PAGE_PUBLIC_URL: url('URLs with `http:` or `https:`, comma-separated', readHttpUrls).describe(
    'under which browsers reach the page, beside its address; with `https:` its cookies are for TLS alone',
  ),
  DEBUG: flag(false).describe('log at debug'),
  SCHEDULER_LOGGING_FORMAT: choice(['text', 'json'], 'text').describe('log lines'),
  SCHEDULER_COLLECT_METRICS: flag(true).describe('collect metrics'),
  SPAN_EXPORT_GRPC_ENDPOINT: url('a URL with `http:` or `https:`, or `host:port`', readEndpoint).describe(
    'OTLP gRPC endpoint of traces; none where absent',
  ),
  SCHEDULER_PQ_GRACE_PERIOD: seconds(86_400).describe('seconds before a boefje runs on an OOI again'),
  SCHEDULER_PQ_JITTER: seconds(18_000, { least: 0 }).describe(
    'seconds of random delay at most on top of the grace period',
  ),
  SCHEDULER_PQ_MAXSIZE: count(0, { most: 2_147_483_647 }).describe('queued tasks per scheduler; 0 is unlimited'),
  SCHEDULER_LEASE_SECONDS: seconds(60, { least: 0.1, most: 86_400 }).describe(
    'lease of a pop over NATS that names none',
  ),
  SCHEDULER_CLIENT_LEASES: count(50_000, { least: 1 }).describe(
    'tasks that one client (NATS inbox, REST token or address) may hold at a time',
  ),
  SCHEDULER_MAX_LEASE_SECONDS: seconds(3_600, { least: 60, most: 86_400 }).describe(
    'lease over NATS at most; a longer request is cut to this',
  ),
  SCHEDULER_START_WITHIN_SECONDS: seconds(3_600, { least: 0 }).describe(
    'a task popped over REST and not patched for so long is queued again; 0 is the grace period, which it never exceeds',
  ),
  SCHEDULER_MAX_ATTEMPTS: count(3, { least: 1, most: 1_000 }).describe(
    'claims of one task before an expired lease fails it',
  ),
  SCHEDULER_RETRY_SECONDS: seconds(10, { least: 0, most: 86_400 }).describe(
    'a task whose lease has expired waits so long for each claim of it, before another worker may get it',
  ),
  SCHEDULER_RETENTION_DAYS: count(0, { most: 36_500 }).describe(
    'finished tasks, and schedules that Rota disabled, are removed when they are older; 0 keeps them',
  ),
  SCHEDULER_RANKING_THREADS: count(1, { least: 1, most: 256 }).describe('threads of the ranking pool'),
  SCHEDULER_CLAIMS_IN_FLIGHT: count(4, { least: 1, most: 1_000 }).describe('claims of one scheduler that run at once'),
  SCHEDULER_CLAIM_BATCH: count(1_000, { least: 1, most: 100_000 }).describe('units of one claim at most'),
  SCHEDULER_WRITES_IN_FLIGHT: count(4, { least: 1, most: 1_000 }).describe(
    'sets of pushes, and of patches, that run at once',
  ),
  SCHEDULER_PUSH_BATCH: count(1_000, { least: 1, most: 100_000 }).describe('tasks of one push statement at most'),
  SCHEDULER_MAILBOX_CAPACITY: count(1_000, { least: 1 }).describe('messages an actor holds before senders wait'),
  SCHEDULER_ACTORS: text().describe(
    'schedulers to run, comma-separated; all there are where absent, those of `--actors` too',
  ),
  NODE_ENV: text().describe('production refuses to start embedded services'),
});
