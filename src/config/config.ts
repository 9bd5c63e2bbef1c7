import type { z } from 'zod';
import { type UnreadVariable, unreadVariables } from './unread-variables.ts';
import { bare } from './values.ts';
import { environment } from './variables.ts';
import { RotaError } from '../errors.ts';
import { redactedDsn } from '../postgres/dsn.ts';
import type { TlsFiles } from '../tls-files.ts';

/**
 * The environment, read once into one frozen Config, and its report. Nothing else in Rota reads process.env. A wrong variable stops
 * the start with its name, its value (secrets redacted) and what was expected: exit 78.
 */

type Environment = z.output<typeof environment>;

export type Config = Readonly<
  Omit<Environment, 'SCHEDULER_DB_DSN' | 'SCHEDULER_RABBITMQ_DSN'> & {
    /** SCHEDULER_<SCHEDULER>_RANKER by scheduler id. */
    readonly rankers: Readonly<Record<string, string>>;
    /** What looks like a variable of ours and is none: warned of at start and by `rota doctor`. */
    readonly unread: readonly UnreadVariable[];
  }
>;

/** Variables whose values are never shown whole. URLs may carry a password, those of the KAT services too. */
const secretNames = /PASSWORD|TOKEN|SECRET|CREDS|URI|DSN|URL|_API$|ENDPOINT/;
const rankerName = /^SCHEDULER_([A-Z0-9_]+)_RANKER$/;

/** @throws RotaError BAD_CONFIG that names every wrong variable. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const rankers: Record<string, string> = {};
  const picked: Record<string, string> = {};
  const others: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    // Empty counts as not set: compose files pass variables on that have no value.
    if (value === undefined || bare(value) === '') continue;
    (name in environment.shape ? picked : others)[name] = value;
    const ranker = rankerName.exec(name);
    if (ranker) rankers[ranker[1]!.toLowerCase().replaceAll('_', '-')] = bare(value);
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
    unread: Object.freeze(unreadVariables(others, Object.keys(environment.shape))),
  });
}

/** Seconds within which a runner over REST begins what it popped. */
export function startWithinSeconds(
  config: Pick<Config, 'SCHEDULER_START_WITHIN_SECONDS' | 'SCHEDULER_PQ_GRACE_PERIOD'>,
): number {
  const { SCHEDULER_START_WITHIN_SECONDS: within, SCHEDULER_PQ_GRACE_PERIOD: longest } = config;
  return within === 0 ? longest : Math.min(within, longest);
}

/** Our credentials for NATS. Secrets in it never reach logs or errors. */
export interface NatsAuth {
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** Path of a credentials file. */
  readonly credsFile?: string | undefined;
  /** Where replies go: a user that may not subscribe to `_INBOX.>` has one of its own (docs/security.md). */
  readonly inboxPrefix?: string | undefined;
  /** Any file named requires TLS. */
  readonly tls?: TlsFiles | undefined;
}

export function natsAuthOf(config: Config): NatsAuth {
  return {
    user: config.NATS_USER,
    password: config.NATS_PASSWORD,
    token: config.NATS_TOKEN,
    credsFile: config.NATS_CREDS,
    inboxPrefix: config.NATS_INBOX_PREFIX,
    tls: { ca: config.NATS_TLS_CA, cert: config.NATS_TLS_CERT, key: config.NATS_TLS_KEY },
  };
}

export function brokerTlsOf(config: Config): TlsFiles {
  return { ca: config.QUEUE_TLS_CA, cert: config.QUEUE_TLS_CERT, key: config.QUEUE_TLS_KEY };
}

/** Of a supervisor: an embedded NATS has its password in its URL, and the environment's credentials are for another server. */
export function supervisorNatsAuth(config: Config): NatsAuth {
  return config.NATS_URL === undefined ? { inboxPrefix: config.NATS_INBOX_PREFIX } : natsAuthOf(config);
}

/** One variable as a process uses it. */
export interface EffectiveValue {
  readonly name: string;
  /** Null where it is not set and has no default. Secrets are redacted; of a URL its user and password. */
  readonly value: string | null;
  /** The command is `rota dev`, which sets some itself. */
  readonly from: 'environment' | 'older name' | 'default' | 'command';
  readonly description: string;
}

const olderNames: Readonly<Record<string, string>> = {
  SCHEDULER_DB_URI: 'SCHEDULER_DB_DSN',
  QUEUE_URI: 'SCHEDULER_RABBITMQ_DSN',
};

/** Every variable in use, in the order of variables.ts, and where its value comes from. */
export function effectiveConfig(config: Config, env: Readonly<Record<string, string | undefined>>): EffectiveValue[] {
  const read: Readonly<Record<string, unknown>> = readConfig(env);
  const values: Readonly<Record<string, unknown>> = config;
  const isSet = (name: string | undefined) => name !== undefined && (env[name] ?? '') !== '';
  const sourceOf = (name: string): EffectiveValue['from'] => {
    if (values[name] !== read[name]) return 'command';
    if (isSet(name)) return 'environment';
    return isSet(olderNames[name]) ? 'older name' : 'default';
  };
  const variables = Object.entries(environment.shape)
    .filter(([name]) => !Object.values(olderNames).includes(name))
    .map(([name, schema]): EffectiveValue => ({
      name,
      value: shown(name, values[name]),
      from: sourceOf(name),
      description: schema.description ?? '',
    }));
  const rankers = Object.entries(config.rankers).map(([scheduler, ranker]): EffectiveValue => ({
    name: `SCHEDULER_${scheduler.toUpperCase().replaceAll('-', '_')}_RANKER`,
    value: ranker,
    from: 'environment',
    description: 'ranker of actors/rankers',
  }));
  return [...variables, ...rankers];
}

function shown(name: string, value: unknown): string | null {
  if (value === undefined) return null;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  // Several hosts, folders of sockets: not what URL reads.
  if (name === 'SCHEDULER_DB_URI') return redactedDsn(text) ?? '<redacted>';
  // A password may happen to look like a URL: the name says what it is.
  const urls = /_(?:URL|URI|API|ENDPOINT)$/.test(name) ? text.split(',') : [];
  if (urls.length === 0 || !urls.every((url) => URL.canParse(url))) return secretNames.test(name) ? '<redacted>' : text;
  return urls.map(withoutUser).join(',');
}

function withoutUser(text: string): string {
  const url = new URL(text);
  if (url.username !== '') url.username = 'redacted';
  if (url.password !== '') url.password = 'redacted';
  return url.href;
}
