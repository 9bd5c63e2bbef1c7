import { type Config, environment, readConfig, secretNames } from './config.ts';
import { withoutSecrets } from './postgres/dsn.ts';

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

/** Every variable in use, in the order of config.ts, and where its value comes from. */
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
  if (name === 'SCHEDULER_DB_URI') return withoutSecrets(text) ?? '<redacted>';
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
