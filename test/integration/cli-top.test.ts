import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { startProxy } from '../support/proxy.ts';
import { atTerminal, hasTerminals } from '../support/terminal.ts';
import { boefjeTask } from '../support/wire.ts';

// A process each: a second or two on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

let hand: RotaAtHand;

beforeAll(async () => {
  hand = await startRotaAtHand();
  await hand.client.push('boefje', [
    ...['a', 'b', 'c'].map((name) => boefjeTask('many', `Hostname|internet|${name}`)),
    boefjeTask('few', 'Hostname|internet|few', 'nmap'),
    boefjeTask('evil\u001b]0;owned\u0007', 'Hostname|internet|evil'),
  ]);
});

afterAll(() => hand.stop());

const enter = '\u001b[?1049h';
const leave = '\u001b[?7h\u001b[?25h\u001b[?1049l';

/** What was written since the terminal was given back, once. */
function afterScreen(output: string): string {
  const parts = output.split(leave);
  expect(parts).toHaveLength(2);
  expect(parts[0]!.split(enter)).toHaveLength(2);
  return parts[1]!;
}

function top(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}, rows = 24) {
  const terminal = atTerminal(['top', '--interval', '1', ...args], {
    env: { NATS_URL: inject('natsUrl'), SCHEDULER_NATS_PREFIX: hand.prefix, ...env },
    rows,
  });
  onTestFinished(() => terminal.close());
  return terminal;
}

describe.skipIf(!hasTerminals)('on a terminal', () => {
  test('one screen is sorted, filtered, explained, paused and resumed by keys; q leaves the terminal as it was', async () => {
    const terminal = top();
    const first = await terminal.shows(/▸ boefje +(?:flows|stands) +5/);
    expect(first.split('\n')).toHaveLength(24);
    expect(first).toMatch(/^rota top {2}\S+ \S+ UTC {2}1 supervisor {2}5 queued/);

    terminal.press('\t');
    await terminal.shows(/\[organisations\][^]*▸ many +boefje +3/);
    terminal.press('s');
    await terminal.shows(/by HELD/);
    terminal.press('ssss');
    await terminal.shows(/by SCHEDULER|by NAME/);
    terminal.press('/FEW');
    expect(await terminal.shows(/\/FEW_/)).not.toMatch(/many/);
    terminal.press('\r');
    await terminal.shows(/filter: FEW[^]*▸ few/);
    terminal.press('e');
    await terminal.shows(/organisation few in boefje\n *It waits[^]*weight {2}1[^]*nmap {2}Hostname\|internet\|few/);
    terminal.press(' ');
    await terminal.shows(/▸ few/);

    terminal.press('p');
    await terminal.shows(/pause organisation few in boefje: 1 queued will be held\. Sure\? y/);
    terminal.press('n');
    await terminal.shows(/nothing was changed/);
    expect(await hand.json(['pauses'])).toEqual({ results: [] });
    terminal.press('py');
    await terminal.shows(/paused; 1 queued tasks are held/);
    await terminal.shows(/▸ few +boefje +paused/);
    expect(await hand.json(['pauses'])).toMatchObject({ results: [{ organisation: 'few' }] });
    terminal.press('e');
    await terminal.shows(/It waits: it is paused\.[^]*paused {2}boefje, few, every boefje by /);
    terminal.press('qry'.slice(1));
    await terminal.shows(/▸ few/);
    terminal.press('ry');
    await terminal.shows(/resumed; 1 tasks may be popped again/);

    terminal.press('?');
    await terminal.shows(/Ctrl-Z +suspend/);
    terminal.press('q');
    const { before, after, code } = await terminal.ended;
    expect([after, code]).toEqual([before, 0]);
    expect(afterScreen(terminal.output())).toMatch(/^\s*code=0=/);
    expect(terminal.output()).not.toContain('\u001b]0;owned');
    expect(await hand.json(['pauses'])).toEqual({ results: [] });
  });

  test('another size is drawn anew, and never more than fits', async () => {
    const terminal = top();
    await terminal.shows(/▸ boefje/);
    terminal.resize(10, 50);
    await vi.waitFor(() => expect(terminal.screen().split('\n')).toHaveLength(10), { timeout: 10_000 });
    expect(terminal.screen()).toContain('boefje');
    // No shell is there to continue it: it goes on by itself.
    terminal.press('\u001a');
    await vi.waitFor(() => expect(terminal.output().split(enter)).toHaveLength(3), { timeout: 10_000 });
    terminal.press('?');
    await terminal.shows(/up down j k/);
    terminal.press('\u0003');
    expect((await terminal.ended).code).toBe(0);
  });

  test('what is wrong is on top and highlighted; NO_COLOR and --no-color leave colours out', async () => {
    const { connection } = hand.client;
    const stuck = await connection.services.add({
      name: hand.prefix,
      version: '0.0.1',
      metadata: { instance: 'stuck' },
    });
    const deaf = connection.subscribe(`${hand.prefix}.ctl.stuck.>`, { callback: () => {} });
    onTestFinished(async () => {
      deaf.unsubscribe();
      await stuck.stop();
    });
    const colour = top(['--timeout', '1']);
    const plain = [top(['--timeout', '1'], { NO_COLOR: '1' }), top(['--timeout', '1', '--no-color'])];
    const shown = await colour.shows(/✖ supervisor stuck: does not answer/);
    expect(shown.split('\n')[1]).toContain('✖ supervisor stuck');
    expect(colour.drawn()).toContain('\u001b[1m\u001b[31m ✖ supervisor stuck');
    colour.press('kkkk\r');
    await colour.shows(/supervisor stuck\n *does not answer[^]*Do: is its process alive/);
    for (const terminal of plain) {
      await terminal.shows(/✖ supervisor stuck/);
      for (const format of [1, 2, 7, 31, 33]) expect(terminal.drawn()).not.toContain(`\u001b[${format}m`);
    }
  });

  test('a lost connection keeps the last figures, marked stale with their age, until it is back', async () => {
    const proxy = await startProxy({ port: Number(new URL(inject('natsUrl')).port) });
    onTestFinished(() => proxy.stop());
    const terminal = top([], { NATS_URL: `nats://127.0.0.1:${proxy.port}` });
    await terminal.shows(/▸ boefje +(?:flows|stands) +5/);
    proxy.down();
    const stale = await terminal.shows(/^STALE: figures of \d+s ago, the connection to NATS is lost/);
    expect(stale).toMatch(/▸ boefje +(?:flows|stands) +5/);
    proxy.up();
    await terminal.shows(/^rota top/);
  });

  test.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)('%s leaves the terminal as it was', async (signal) => {
    const terminal = top();
    await terminal.shows(/▸ boefje/);
    terminal.kill(signal);
    const { before, after, code } = await terminal.ended;
    expect([after, code]).toEqual([before, 0]);
    expect(afterScreen(terminal.output())).toMatch(/^\s*code=0=/);
  });

  test('a crash leaves the terminal as it was, and its stack on it', async () => {
    const crash = `setTimeout(() => { throw new Error('crashed') }, 4000).unref()`;
    const terminal = top([], { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(crash)}` });
    const { before, after, code } = await terminal.ended;
    expect([after, code]).toEqual([before, 1]);
    expect(afterScreen(terminal.output())).toMatch(/Error: crashed/);
  });

  test('a first look that fails is an error on the terminal as it was', async () => {
    const terminal = top(['--prefix', 'absent']);
    const { before, after, code } = await terminal.ended;
    expect([after, code]).toEqual([before, 75]);
    expect(afterScreen(terminal.output())).toContain('no answer on absent.ctl.');
  });

  test('of so many frames the last one stays', async () => {
    const terminal = top(['--frames', '1']);
    expect((await terminal.ended).code).toBe(0);
    expect(afterScreen(terminal.output())).toMatch(/▸ boefje +(?:flows|stands) +5/);
  });

  test('keys are not read from an input that is no terminal', async () => {
    const terminal = atTerminal(['top', '--interval', '1', '--frames', '3'], {
      env: { NATS_URL: inject('natsUrl'), SCHEDULER_NATS_PREFIX: hand.prefix },
      input: '/dev/null',
    });
    onTestFinished(() => terminal.close());
    expect((await terminal.ended).code).toBe(0);
    expect(terminal.output().split('\u001b[H').length).toBeGreaterThan(3);
  });
});
