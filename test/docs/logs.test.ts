import { expect, test } from 'vitest';
import { emit, type RotaEvent } from '../../src/telemetry/events.ts';
import { logNames } from '../../src/telemetry/log-line.ts';
import { logEvents } from '../../src/observation/logging.ts';
import { logToLines } from '../support/lines.ts';

/** `make utest file=test/docs/logs.test.ts` shows a difference; `vitest run -u` rewrites the page. */
test('docs/logs.md shows every line that an event leads to, as it is written', async () => {
  await expect(page()).toMatchFileSnapshot('../../docs/logs.md');
});

const task = { id: '9042879a-1be1-42bc-b5f3-168b4bd33d5e', organisation: 'org-1' };
const refused = { organisation: 'org-1', hash: '0d4a1ad6b1fbb3a1b0d2f9a9b4b3a5d1' };

const readOnly = 'the database is read-only (25006): try again later, or name the primary server in SCHEDULER_DB_URI';

const uncaught = Object.assign(new Error('nobody awaits this'), { stack: 'Error: nobody awaits this\n    at …' });

/** One of each. */
const events: readonly RotaEvent[] = [
  { name: 'supervisor.ready', ms: 631 },
  { name: 'actor.started', actor: 'boefje', restarts: 0 },
  { name: 'source.connected', source: 'rabbitmq:scan_profile_mutations' },
  { name: 'tasks.queued', scheduler: 'boefje', tasks: [task] },
  { name: 'tasks.refused', scheduler: 'boefje', reason: 'already-queued', count: 1, tasks: [refused] },
  { name: 'tasks.dispatched', scheduler: 'boefje', tasks: [task], via: 'nats' },
  { name: 'tasks.changed', scheduler: 'boefje', status: 'completed', reason: null, tasks: [task] },
  { name: 'tasks.revoked', scheduler: 'boefje', reason: 'scan-level-too-low', tasks: [task] },
  { name: 'leases.expired', requeued: 2, failed: 1, superseded: 0 },
  { name: 'tasks.removed', count: 10_000 },
  { name: 'source.lost', source: 'rabbitmq:scan_profile_mutations', message: 'socket closed unexpectedly by server' },
  { name: 'part.failed', part: 'database', link: 'database', reason: readOnly },
  { name: 'circuit.changed', actor: 'boefje', service: 'octopoes', state: 'open' },
  {
    name: 'event.dead-lettered',
    stream: 'raw_file_received',
    code: 'INVALID_REQUEST',
    message: 'malformed raw_file_received message: created_at: expected string',
  },
  { name: 'batch.ranked', ranker: 'fair-share', tasks: 12, ms: 5_000, failure: 'hung' },
  { name: 'actor.stopped', actor: 'boefje', code: 'ASK_TIMEOUT', message: 'two pings unanswered for 5000 ms each' },
  { name: 'actor.gave-up', actor: 'boefje', restarts: 5, retryInMs: 60_000 },
  { name: 'request.dropped', reason: 'reply-subject', subject: 'rota.pop.boefje', reply: 'INBOX' },
  {
    name: 'request.refused',
    edge: 'nats',
    of: 'client',
    client: '_INBOX_worker',
    reason: 'this client has 2000 pops of 160000 bytes in flight already (NATS_CLIENT_POPS): try again',
  },
  { name: 'error.uncaught', kind: 'rejection', error: uncaught },
  { name: 'supervisor.drained', ms: 412 },
];

function written(format: 'json' | 'text'): readonly string[] {
  const { log, lines } = logToLines({ format, debug: true });
  const end = logEvents(log);
  for (const event of events) emit(event);
  end();
  return lines.map((line) =>
    line
      .replace(/"timestamp":"[^"]*"/, '"timestamp":"2026-11-24T14:27:29.316Z"')
      .replace(/^\[[\dT:.Z-]+\]/, '[2026-11-24T14:27:29.316Z]'),
  );
}

function page(): string {
  const json = written('json');
  // A source that is lost is two lines: itself at debug, and the outage of its broker.
  expect(json).toHaveLength(events.length + 1);
  const text = written('text');
  const indented = (lines: readonly string[]) => lines.map((line) => `    ${line}`).join('\n');
  const ids = [...Map.groupBy(Object.entries(logNames), ([, name]) => name)];
  return `# Logs

Rota writes to standard error: text for people, or with \`SCHEDULER_LOGGING_FORMAT=json\` one JSON object a line for machines. At
info there is one line per life-cycle step, with \`DEBUG=true\` also one per decision about a task. \`rota actors
log-level NAME debug\` turns that on for one running actor. Passwords, tokens, settings and environments are never in a line:
fields of such names and passwords in URLs are \`<redacted>\`. Control characters are escaped (\`\\u001b\`): OOIs come from
scanned hosts. A line has 8 kB at most: longer texts and lists are cut one by one, and \`cut\` holds their full
lengths. This page is generated from what is really written; a test keeps it true.

## Fields

The names are mula's where it has one, so that filters over KAT's logs find Rota's lines:

| Field | What |
|---|---|
| \`event\` | what happened, in a few words that do not change: the facts are in other fields |
| \`level\` | \`debug\`, \`info\`, \`warning\`, \`error\` or \`critical\` (in text WARN and FATAL) |
| \`timestamp\` | ISO 8601, UTC |
| \`logger\` | \`rota\` for the supervisor, \`rota.<actor>\` for what an actor's own thread writes; JSON only |
| \`cut\` | full lengths of the fields that were cut, in a line longer than 8 kB |
| \`exception\` | the stack of a bug with its causes; nothing else has one |
| \`fields\` | facts about an error, beside its \`code\` (src/errors.ts) |
| \`part\` | the dependency that is down: \`database\`, \`nats\`, \`rabbitmq\`, \`katalogus\`, \`octopoes\`, \`bytes\` |
| \`code\`, \`reason\` | why: a code for machines, a sentence or a reason of the closed list (src/tasks/refusal.ts) |
| \`audit\`, \`by\` | what an operator did, and who |
| \`trace_id\` | trace in which an actor decided it ([tracing](tracing.md)): at debug, where traces are exported |
${ids.map(([name, words]) => `| \`${name}\` | ${words.map(([word]) => meanings[word]).join(', ')} |`).join('\n')}

Others are named as on the operations page: \`source\`, \`stream\`, \`service\`, \`restarts\`, \`via\`, \`status\`.

## Outages

A dependency that is unreachable or refuses has one line when it first fails (\`outage begins\`), one a minute with the number
of failures (\`outage goes on\`), and one when it has answered and has not failed for 4 s (\`outage ends\`). The failures that
the outage causes are logged at debug only. Other failures of one kind have a line a minute, with a \`count\`; bugs are always
logged.

## Lines

With \`SCHEDULER_LOGGING_FORMAT=json\`:

${indented(json)}

The same as text:

${indented(text)}
`;
}

const meanings: Readonly<Record<string, string>> = {
  scheduler: 'id of the scheduler',
  actor: 'which is the name of its actor',
  organisation: 'code of the organisation',
  task: 'id of the task',
  hash: 'hash that tasks of one boefje, OOI and organisation share',
  schedule: 'id of the schedule',
  boefje: 'id of the boefje',
  normalizer: 'id of the normalizer',
  ooi: 'reference of the OOI',
  rawFile: 'id of the raw file in Bytes',
};
