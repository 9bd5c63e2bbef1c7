import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { effectiveConfig, readConfig, startWithinSeconds } from '../../src/config/config.ts';
import { environment } from '../../src/config/variables.ts';
import { katEnvironment } from '../support/kat-env.ts';

test('the defaults are those of mula', () => {
  expect(readConfig({})).toMatchObject({
    SCHEDULER_API_PORT: 8000,
    SCHEDULER_PQ_GRACE_PERIOD: 86_400,
    SCHEDULER_PQ_MAXSIZE: 0,
    SCHEDULER_RABBITMQ_PREFETCH_COUNT: 100,
    SCHEDULER_DB_CONNECTION_POOL_SIZE: 25,
    SCHEDULER_EVENTS: 'amqp',
  });
});

test('older names of the database and the broker are read; the newer ones win', () => {
  const config = readConfig({ SCHEDULER_DB_DSN: 'postgres://a/b', SCHEDULER_RABBITMQ_DSN: 'amqp://c:d@e' });
  expect(config).toMatchObject({ SCHEDULER_DB_URI: 'postgres://a/b', QUEUE_URI: 'amqp://c:d@e' });
  expect(readConfig({ SCHEDULER_DB_DSN: 'postgres://a/b', SCHEDULER_DB_URI: 'postgres://d/e' }).SCHEDULER_DB_URI).toBe(
    'postgres://d/e',
  );
});

test('a ranker is chosen per scheduler', () => {
  expect(readConfig({ SCHEDULER_BOEFJE_RANKER: 'fair-share' }).rankers).toEqual({ boefje: 'fair-share' });
});

test('a wrong variable is named with its value and what was expected, exit 78', () => {
  expect(() => readConfig({ SCHEDULER_API_PORT: 'eighty' })).toThrow(/SCHEDULER_API_PORT="eighty": expected .*number/);
  try {
    readConfig({ SCHEDULER_API_PORT: 'eighty', SCHEDULER_EVENTS: 'kafka' });
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({
      code: 'BAD_CONFIG',
      fields: { variables: ['SCHEDULER_EVENTS', 'SCHEDULER_API_PORT'] },
    });
  }
});

test('a secret in a wrong variable never reaches the message', () => {
  try {
    readConfig({ SCHEDULER_DB_URI: 'mysql://root:hunter2@host/db' });
    expect.unreachable();
  } catch (error) {
    expect((error as Error).message).toContain('SCHEDULER_DB_URI=<redacted>: expected a URL such as postgresql://');
    expect((error as Error).message).not.toContain('hunter2');
  }
  expect(() => readConfig({ KATALOGUS_API: 'ftp://kat:hunter2@host' })).toThrow(/^((?!hunter2)[^])*$/);
});

/** By what a variable says of itself, so that a new one is not forgotten. */
test('no secret is shown, neither where it is in use nor where it is refused', () => {
  const secrets = Object.entries(environment.shape).filter(([, schema]) =>
    /password|bearer token|tokens with a role each|signs/i.test(`${schema.description}`),
  );
  expect(secrets.map(([name]) => name)).toEqual(
    expect.arrayContaining(['NATS_PASSWORD', 'SCHEDULER_API_TOKEN', 'SCHEDULER_PAGE_SECRET']),
  );
  const secret = 'hunter2-hunter2-hunter2-hunter2-hunter2';
  for (const [name] of secrets) {
    const env = { [name]: secret };
    const shown = effectiveConfig(readConfig(env), env).find((value) => value.name === name);
    expect(shown?.value ?? '', name).not.toContain('hunter2');
  }
  expect(() => readConfig({ SCHEDULER_PAGE_SECRET: 'hunter2' })).toThrow(/^((?!hunter2)[^])*$/);
});

test.each([
  [{}, 3_600],
  [{ SCHEDULER_START_WITHIN_SECONDS: '60' }, 60],
  [{ SCHEDULER_START_WITHIN_SECONDS: '0' }, 86_400],
  [{ SCHEDULER_START_WITHIN_SECONDS: '90000' }, 86_400],
  [{ SCHEDULER_PQ_GRACE_PERIOD: '600' }, 600],
])(
  'a runner over REST begins within an hour, or within the configured time, or within the grace period: %o',
  (env, seconds) => {
    expect(startWithinSeconds(readConfig(env))).toBe(seconds);
  },
);

const wrongOf = (env: Record<string, string>): string => {
  try {
    readConfig(env);
  } catch (error) {
    expect(error).toMatchObject({ code: 'BAD_CONFIG' });
    return (error as Error).message;
  }
  throw new Error(`${JSON.stringify(env)} was accepted`);
};

const flags = ['DEBUG', 'DATABASE_MIGRATION', 'SCHEDULER_COLLECT_METRICS'] as const;

test.each(flags)('%s reads the words that pydantic reads, in any case', (name) => {
  const mixed = (word: string, upper: readonly boolean[]) =>
    word.replaceAll(/./g, (letter, at: number) => (upper[at] === true ? letter.toUpperCase() : letter));
  const anyCase = (words: readonly string[]) =>
    fc
      .tuple(fc.constantFrom(...words), fc.array(fc.boolean(), { minLength: 5 }))
      .map(([word, upper]) => mixed(word, upper));
  const isRead = (words: readonly string[], expected: boolean) =>
    fc.assert(
      fc.property(anyCase(words), (word) => {
        expect(readConfig({ [name]: word })[name]).toBe(expected);
      }),
    );
  isRead(['1', 'true', 't', 'yes', 'y', 'on'], true);
  isRead(['0', 'false', 'f', 'no', 'n', 'off'], false);
  expect(wrongOf({ [name]: 'maybe' })).toMatch(new RegExp(`${name}="maybe": expected .*true.*false`));
});

test.each([
  'postgresql+psycopg2',
  'postgresql+psycopg',
  'postgresql+asyncpg',
  'postgres+pg8000',
  'POSTGRESQL+psycopg2',
])('SQLAlchemy’s %s:// is Postgres', (scheme) => {
  for (const name of ['SCHEDULER_DB_URI', 'SCHEDULER_DB_DSN']) {
    const { SCHEDULER_DB_URI } = readConfig({ [name]: `${scheme}://app:p%40ss@db:5433/scheduler?application_name=x` });
    expect(SCHEDULER_DB_URI).toBe('postgresql://app:p%40ss@db:5433/scheduler?application_name=x');
  }
});

test('another database is refused, with SQLAlchemy’s scheme too', () => {
  expect(wrongOf({ SCHEDULER_DB_URI: 'mysql+pymysql://a:hunter2@db/x' })).toMatch(/^((?!hunter2)[^])*postgresql:[^]*$/);
});

test.each([
  ['jaeger:4317', 'http://jaeger:4317'],
  ['10.0.0.7:4317', 'http://10.0.0.7:4317'],
  ['jaeger', 'http://jaeger'],
  ['https://jaeger:4317', 'https://jaeger:4317'],
])('the OTLP endpoint %s is %s', (given, expected) => {
  expect(readConfig({ SPAN_EXPORT_GRPC_ENDPOINT: given }).SPAN_EXPORT_GRPC_ENDPOINT).toBe(expected);
});

test.each([
  ['amqp://guest:guest@rabbitmq:5672/%2Fkat', 'amqp://guest:guest@rabbitmq:5672/%2Fkat'],
  ['amqp://kat:secret@rabbitmq:5672/kat/', 'amqp://kat:secret@rabbitmq:5672/kat/'],
  // pika logs in as guest where no user is named.
  ['amqp://rabbitmq:5672/kat', 'amqp://guest:guest@rabbitmq:5672/kat'],
  // A percent sign that encodes nothing is one, to Python and in a password.
  ['amqp://kat:50%zz@rabbitmq/kat', 'amqp://kat:50%25zz@rabbitmq/kat'],
])('QUEUE_URI %s is what pika makes of it', (given, expected) => {
  expect(readConfig({ QUEUE_URI: given }).QUEUE_URI).toBe(expected);
});

test.each([
  ['nats:4222', 'nats://nats:4222'],
  ['localhost:4222', 'nats://localhost:4222'],
  ['nats://a:4222, nats://b:4222', 'nats://a:4222,nats://b:4222'],
  ['tls://a:4222,b', 'tls://a:4222,nats://b'],
])('NATS_URL %s is %s', (given, expected) => {
  expect(readConfig({ NATS_URL: given }).NATS_URL).toBe(expected);
});

test('what has a grammar is read with quotes and spaces round it; free text keeps them', () => {
  const config = readConfig({
    DEBUG: '"True"',
    SCHEDULER_API_PORT: " '8004' ",
    SCHEDULER_LOGGING_FORMAT: 'JSON',
    SCHEDULER_DB_URI: '"postgresql+psycopg2://a:b@c/d"',
    BYTES_PASSWORD: '"hunter 2" ',
    QUEUE_URI: '""',
    NATS_URL: '  ',
    SCHEDULER_DB_DSN: '',
  });
  expect(config).toMatchObject({
    DEBUG: true,
    SCHEDULER_API_PORT: 8004,
    SCHEDULER_LOGGING_FORMAT: 'json',
    SCHEDULER_DB_URI: 'postgresql://a:b@c/d',
    BYTES_PASSWORD: '"hunter 2" ',
  });
  expect(config.QUEUE_URI).toBeUndefined();
  expect(config.NATS_URL).toBeUndefined();
});

test.each([
  ['SCHEDULER_PQ_MAXSIZE', '100_000', 100_000],
  ['SCHEDULER_PQ_MAXSIZE', '+7.0', 7],
  ['SCHEDULER_PQ_GRACE_PERIOD', '86400.0', 86_400],
  ['SCHEDULER_BYTES_REQUEST_TIMEOUT', '2.5', 2.5],
] as const)('%s=%s is a number as pydantic reads it', (name, given, expected) => {
  expect(readConfig({ [name]: given })[name]).toBe(expected);
});

const numbers = Object.entries(environment.shape)
  .filter(([, schema]) => typeof schema.safeParse(undefined).data === 'number')
  .map(([name]) => name);

test.each(numbers)('%s has a least and a greatest value, and its message names both', (name) => {
  const outOfRange = fc.oneof(
    fc.constantFrom('-1', 'NaN', 'Infinity', '-Infinity', 'inf', '1e309', '0x10', '1,5', '10 s', '9007199254740993'),
    fc.bigInt({ min: 2n ** 31n }).map(String),
  );
  fc.assert(
    fc.property(outOfRange, (given) => {
      expect(wrongOf({ [name]: given })).toMatch(
        new RegExp(`^wrong configuration\n  ${name}="[^"]*": expected a (?:whole )?number from [\\d.]+ to \\d+`),
      );
    }),
    { numRuns: 30 },
  );
});

/** What a 0 means is in docs/configuration.md; where it can only harm it is refused. */
const zeroes = [
  'SCHEDULER_API_PORT',
  'SCHEDULER_START_WITHIN_SECONDS',
  'SCHEDULER_RETRY_SECONDS',
  'SCHEDULER_PQ_JITTER',
  'SCHEDULER_PQ_MAXSIZE',
  'SCHEDULER_RETENTION_DAYS',
];

test.each(numbers)('%s=0 is refused unless it has a meaning', (name) => {
  if (zeroes.includes(name)) expect(readConfig({ [name]: '0' })).toMatchObject({ [name]: 0 });
  else expect(wrongOf({ [name]: '0' })).toContain(`${name}="0": expected`);
});

test.each([
  ['SCHEDULER_API_PROT', 'SCHEDULER_API_PORT'],
  ['SCHEDULER_DB_URL', 'SCHEDULER_DB_URI'],
  ['SCHEDULER_LEASE_SECOND', 'SCHEDULER_LEASE_SECONDS'],
  ['scheduler_api_port', 'SCHEDULER_API_PORT'],
  ['SHCEDULER_API_TOKEN', 'SCHEDULER_API_TOKEN'],
  ['NATS_PASWORD', 'NATS_PASSWORD'],
  ['NATS_URI', 'NATS_URL'],
  ['QUEUE_URL', 'QUEUE_URI'],
  ['KATALOGUS_APIS', 'KATALOGUS_API'],
  ['SCHEDULER_BOFJE_RANKER', 'SCHEDULER_BOEFJE_RANKER'],
  ['SCHEDULER_REPORT_RANKR', 'SCHEDULER_REPORT_RANKER'],
])('%s is warned of: %s was meant', (given, meant) => {
  expect(readConfig({ [given]: '1' }).unread).toEqual([{ name: given, meant }]);
});

test('one of ours that is like none is warned of without a guess', () => {
  expect(readConfig({ SCHEDULER_FOO: 'secret' }).unread).toEqual([{ name: 'SCHEDULER_FOO', meant: null }]);
});

test('what KAT, Kubernetes and a shell have beside ours is ignored silently', () => {
  const others = {
    ...katEnvironment(),
    SCHEDULER_SERVICE_HOST: '10.0.0.4',
    SCHEDULER_SERVICE_PORT_HTTP: '8000',
    SCHEDULER_PORT: 'tcp://10.0.0.4:8000',
    SCHEDULER_PORT_8000_TCP_ADDR: '10.0.0.4',
    NATS_PORT: 'tcp://10.0.0.5:4222',
    NATS_PORT_4222_TCP_PROTO: 'tcp',
    PATH: '/bin',
    DEBUGGER: 'x',
    SCHEDULER_REPORT_RANKER: 'fair-share',
    SCHEDULER_MY_OWN_RANKER: 'fair-share',
    SCHEDULER_PQ_GRACE: '',
  };
  expect(readConfig(others).unread).toEqual([]);
});
