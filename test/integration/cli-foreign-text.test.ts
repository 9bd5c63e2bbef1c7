import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runCli, type RotaAtHand, startRotaAtHand } from '../support/cli.ts';

// Some thirty processes: half a second each on an idle machine.
vi.setConfig({ testTimeout: 240_000 });

/** OOIs come from scanned hosts, organisations and plug-ins from any client that may push: none may control a terminal. */

/** Clears the screen, sets the window's title, ends the line, turns around what follows. */
const evil = '\u001b[2J\u001b]0;owned\u0007\r\n\u009b31m\u202egnp.\u2028';
const controls = /(?![\n\t])[\p{Cc}\u2028-\u202e\u2066-\u2069]/u;

let hand: RotaAtHand;
beforeAll(async () => {
  hand = await startRotaAtHand();
});
afterAll(() => hand.stop());

test('whatever a task, a pause and an event hold, the commands write no control character of it, and exact JSON', async () => {
  const events = hand.run(['events', '--count', '1']);
  const task = {
    scheduler_id: 'boefje',
    organisation: `org${evil}`,
    data: { boefje: { id: `dns${evil}` }, input_ooi: `Hostname|internet|${evil}`, organization: `org${evil}` },
  };
  const first = await hand.run(['push', '-'], JSON.stringify(task));
  expect(first.code, first.stderr).toBe(0);
  const ids = (await hand.json<{ results: { id: string }[] }>(['tasks', 'list'])).results.map(({ id }) => id);
  await hand.client.ctl('pause', { scheduler: 'boefje', organisation: `org${evil}` });
  const schedules = await hand.json<{ results: { id: string }[] }>(['schedules', 'list']);
  const commands = [
    ['push', '-'],
    ['tasks', 'list'],
    ['tasks', 'show', ids[0]!],
    ['tasks', 'retry', ids[0]!],
    ['pauses'],
    ['schedules', 'list'],
    ['schedules', 'show', schedules.results[0]!.id],
    ['explain', ids[0]!],
    ['status'],
    ['doctor'],
    ['tasks', 'show', `x${evil}`],
    ['pause', `x${evil}`],
  ];
  for (const command of commands) {
    const told = await hand.run(command, JSON.stringify(task));
    expect(told.stdout + told.stderr, command.join(' ')).not.toMatch(controls);
    const json = await hand.run([...command, '--json'], JSON.stringify(task));
    expect(json.stdout + json.stderr, command.join(' ')).not.toMatch(controls);
  }
  const page = await hand.json<{ results: { organisation: string; data: { input_ooi: string } }[] }>(['tasks', 'list']);
  expect(page.results[0]).toMatchObject({ organisation: task.organisation, data: { input_ooi: task.data.input_ooi } });
  await hand.run(['tasks', 'cancel', ids[0]!]);
  const told = await events;
  expect(told.stdout).toMatch(/org\\u001b\[2J/);
  expect(told.stdout.trimEnd().split('\n')).toHaveLength(1);
  expect(told.stdout + told.stderr).not.toMatch(controls);
});

test('what commander says of its arguments is escaped, too', async () => {
  for (const args of [[`stat${evil}`], ['tasks', 'list', `--x${evil}`], ['tasks', 'list', '--status', evil]]) {
    const { stderr, stdout, code } = await runCli(args);
    expect(code).toBe(64);
    expect(stdout + stderr).not.toMatch(controls);
  }
});
