import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { RotaError } from '../../src/errors.ts';
import { contextOf, inTrace, newTrace } from '../../src/mailbox/trace.ts';
import { readableLine } from '../../src/telemetry/log-line.ts';
import { logToLines } from '../support/lines.ts';

const parsed = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

test('JSON lines have the fields of mula’s: event, level, logger, timestamp, and ids by its names', () => {
  const { log, lines } = logToLines({ format: 'json', debug: true, of: 'boefje', bindings: { scheduler: 'boefje' } });
  log.warn({ organisation: 'aa', boefje: 'dns', ooi: 'Hostname|internet|a.nl', schedule: 's', task: 't' }, 'told');
  expect(parsed(lines)).toEqual([
    {
      event: 'told',
      level: 'warning',
      logger: 'rota.boefje',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      scheduler_id: 'boefje',
      organisation_id: 'aa',
      boefje_id: 'dns',
      ooi_primary_key: 'Hostname|internet|a.nl',
      schedule_id: 's',
      task_id: 't',
    },
  ]);
});

test('a bug is logged with its stack and causes, any other failure with its message, code and fields', () => {
  const { log, lines } = logToLines({ format: 'json', debug: true });
  const cause = new Error('refused');
  log.error({ err: new RotaError('BROKEN', 'never', { fields: { n: 1 }, cause }) }, 'queue');
  log.error({ err: new TypeError('undefined is not a function') }, 'queue');
  log.error({ err: new RotaError('RANK_FAILED', 'hung', { fields: { ranker: 'x' }, cause }) }, 'queue');
  log.warn({ failure: { code: 'SERVICE_REJECTED', message: 'not as agreed', retryable: true } }, 'batch failed');
  expect(parsed(lines)).toMatchObject([
    {
      code: 'BROKEN',
      fields: { n: 1 },
      exception: expect.stringMatching(/^RotaError: never\n[^]*caused by: Error: refused\n/),
    },
    { exception: expect.stringMatching(/^TypeError: undefined is not a function\n/) },
    { code: 'RANK_FAILED', fields: { ranker: 'x' }, reason: 'hung' },
    { code: 'SERVICE_REJECTED', reason: 'not as agreed' },
  ]);
  expect(parsed(lines).map((line) => 'exception' in line)).toEqual([true, true, false, false]);
});

test('what fails for lack of something that is away is a line at debug only; other failures a line a minute, bugs all', () => {
  const { log, lines } = logToLines({ format: 'json', debug: false });
  for (let n = 0; n < 100; n += 1) {
    log.error({ err: new RotaError('DATABASE_UNAVAILABLE', 'read-only') }, 'queue');
    log.warn({ failure: { code: 'SERVICE_UNAVAILABLE', message: 'katalogus is out' } }, 'not corrected');
    log.warn({ failure: { code: 'SERVICE_REJECTED', message: 'not as agreed' } }, 'not corrected');
    if (n < 3) log.error({ err: new TypeError('a bug') }, 'queue');
  }
  expect(parsed(lines).map(({ event, code }) => [event, code])).toEqual([
    ['not corrected', 'SERVICE_REJECTED'],
    ['queue', undefined],
    ['queue', undefined],
    ['queue', undefined],
  ]);
});

test.each(['json', 'text'] as const)('a %s line never shows a secret, wherever it is', (format) => {
  const { log, lines } = logToLines({ format, debug: true, bindings: { token: 'hunter2' } });
  log.info({ settings: { KEY: 'hunter2' }, boefje: { environment: 'hunter2' }, password: 'hunter2' }, 'fields');
  log.error({ err: new Error('cannot reach amqp://rota:hunter2@broker:5672/kat') }, 'postgres://rota:hunter2@db/rota');
  const cause = new RotaError('BROKEN', 'https://u:hunter2@octopoes', { fields: { authorization: 'hunter2' } });
  log.error({ err: new RotaError('BROKEN', 'wrapped', { cause, fields: { authorization: 'hunter2' } }) }, 'cause');
  expect(lines.join('\n')).not.toContain('hunter2');
  expect(lines.join('\n')).toContain('amqp://rota:<redacted>@broker:5672/kat');
});

test('with DEBUG, what is logged within a trace names it, where traces are exported', () => {
  const trace = newTrace();
  const traceIds = (options: { debug: boolean; traces: boolean }) => {
    const { log, lines } = logToLines({ format: 'json', ...options });
    inTrace(trace, () => log.info({}, 'within'));
    log.info({}, 'without');
    return parsed(lines).map((line) => line['trace_id']);
  };
  expect(traceIds({ debug: true, traces: true })).toEqual([contextOf(trace)!.traceId, undefined]);
  expect(traceIds({ debug: true, traces: false })).toEqual([undefined, undefined]);
  expect(traceIds({ debug: false, traces: true })).toEqual([undefined, undefined]);
});

test('text lines are for people: one a line, what happened first', () => {
  const { log, lines } = logToLines({ format: 'text', debug: false });
  log.info({ scheduler: 'boefje', restarts: 0 }, 'actor started');
  expect(lines).toEqual([
    expect.stringMatching(
      /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] INFO: actor started \{"scheduler_id":"boefje","restarts":0\}$/,
    ),
  ]);
});

test('a long line is cut between characters, in names too: a lone half would be escaped, and refused by what collects logs', () => {
  const long = `${'x'.repeat(1_999)}😀${'x'.repeat(10_000)}`;
  const line = readableLine(`${JSON.stringify({ level: 'error', reason: long, fields: { [long]: 1 } })}\n`, false);
  expect(line.length).toBeLessThan(8_192);
  expect(line).not.toMatch(/\\ud[89a-f]/i);
  expect(JSON.parse(line)).toMatchObject({ level: 'error' });
});

test.each([
  [{}, true],
  [{ NO_COLOR: '1' }, false],
  [{ TERM: 'dumb' }, false],
])('on a terminal text logs have colours, unless they are not wanted: %o', (environment, colours) => {
  const log = fileURLToPath(new URL('../../src/telemetry/log.ts', import.meta.url));
  const run = `import('${log}').then(({ createLog }) => createLog({ format: 'text' }).info({}, 'told'))`;
  const command = `'${process.execPath}' -e "${run}"`;
  const { PATH } = process.env;
  const shown = execFileSync('script', ['-qec', command, '/dev/null'], {
    env: { PATH, TERM: 'xterm', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  }).toString();
  expect(shown).toContain('told');
  expect(shown.includes('\u001b[')).toBe(colours);
});
