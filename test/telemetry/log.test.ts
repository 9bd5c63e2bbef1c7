import { expect, test } from 'vitest';
import { RotaError } from '../../src/errors.ts';
import { contextOf, inTrace, newTrace } from '../../src/mailbox/trace.ts';
import { emit } from '../../src/telemetry/events.ts';
import { logEvents } from '../../src/telemetry/logging.ts';
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

test('a bug is told with its stack and causes, anything else with its sentence, beside code and facts', () => {
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

test.each(['json', 'text'] as const)('a %s line never shows a secret, wherever it stands', (format) => {
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

test('each decision about a task is a line of its own at debug, and none without', () => {
  const loud = logToLines({ format: 'json', debug: true });
  const quiet = logToLines({ format: 'json', debug: false });
  const ends = [logEvents(loud.log), logEvents(quiet.log)];
  const tasks = ['1', '2'].map((id) => ({ id, organisation: 'aa' }));
  emit({ name: 'tasks.queued', scheduler: 'boefje', tasks });
  const refused = [{ organisation: 'aa', hash: 'h' }];
  emit({ name: 'tasks.refused', scheduler: 'boefje', reason: 'already-queued', count: 1, tasks: refused });
  // What an actor declined, its thread has logged.
  emit({ name: 'tasks.refused', scheduler: 'boefje', reason: 'no-scan-profile', count: 7 });
  for (const end of ends) end();
  expect(parsed(loud.lines)).toMatchObject([
    { event: 'task queued', task_id: '1', organisation_id: 'aa', scheduler_id: 'boefje' },
    { event: 'task queued', task_id: '2' },
    { event: 'task declined', task_hash: 'h', organisation_id: 'aa', reason: 'already-queued' },
  ]);
  expect(quiet.lines).toEqual([]);
});
