import { describe, expect, test } from 'vitest';
import { findingsOf } from '../../src/control/findings.ts';
import type { Overview } from '../../src/control/overview.ts';
import type { PartView } from '../../src/control/parts.ts';
import { linesOf } from '../../src/cli/top/lines.ts';
import type { Figures } from '../../src/cli/top/rows.ts';
import { firstState, type Key, pressed, rowsOf, selectedAt, type TopState } from '../../src/cli/top/state.ts';
import type { SchedulerView } from '../../src/protocol/operator-status.ts';

const scheduler = (id: string, over: Partial<SchedulerView> = {}): SchedulerView => {
  const flow = { per_second: null, estimated_empty_at: null, asked_at: null, waiters: 0 };
  const figures = { held: 0, held_is_least: false, leased: 0, oldest_seconds: 5, schedule_lag_seconds: 0 };
  return {
    id,
    queued: 1,
    ...figures,
    ...flow,
    in_per_second: 0,
    out_per_second: 0,
    out_seconds_ago: 1,
    lately: null,
    ...over,
  };
};

const part = (name: string, over: Partial<PartView> = {}): PartView => {
  const least = { queued_is_least: false, held_is_least: false };
  return {
    scheduler: 'boefje',
    name,
    queued: 1,
    held: 0,
    ...least,
    oldest_seconds: 1,
    per_second: 0,
    failed: 0,
    ...over,
  };
};

const figuresOf = (over: Partial<Overview> = {}, parts: Figures['parts'] = null): Figures => {
  const schedulers = [scheduler('boefje', { queued: 3 }), scheduler('normalizer', { queued: 9 })];
  const supervisor = {
    instance: 'one',
    version: '1',
    started_at: '2026-01-01T00:00:00Z',
    pid: 1,
    rss_bytes: 1,
    loop_p99_ms: 1,
    actors: [],
  };
  const overview = { supervisors: [supervisor], schedulers, sources: [], unanswered: [], unknown: [], ...over };
  return { overview, pauses: [], findings: findingsOf(overview), parts };
};

const organisations = (...results: readonly PartView[]): TopState => {
  const parts = { by: 'organisation' as const, results, unanswered: [], failure: null };
  return { ...firstState, view: 'organisations', figures: figuresOf({}, parts) };
};

const key = (sequence: string, name?: string): Key => ({ sequence, ...(name === undefined ? {} : { name }) });
const typing = (state: TopState, text: string) =>
  Array.from(text).reduce((so, it) => pressed(so, key(it)).state, state);
const names = (state: TopState) => rowsOf(state).map((row) => row.key.split(' ').at(-1));
const selected = (state: TopState) => rowsOf(state)[selectedAt(state, rowsOf(state))]?.key;

const now = { date: new Date('2026-03-02T12:00:00Z'), sinceLook: 0, staleMs: 5_000 };
const size = { rows: 24, columns: 80 };
const screen = (state: TopState, at = now, of = size) => linesOf(state, of, at).map(({ text }) => text);

const stuck = [{ instance: 's0', why: `ASK_TIMEOUT: no answer` }];
const away = (count: number) =>
  Array.from({ length: count }, (_none, n) => {
    const stream = 'raw_file_received' as const;
    return { source: `source ${n}`, stream, waiting: 1, retrying: 0, dead: 0, error: 'away', full: null };
  });

describe('keys', () => {
  test('sort goes through all columns and around, each view with its own; what is not known comes last', () => {
    let state = organisations(
      part('a', { failed: null, queued: 5 }),
      part('b', { failed: 2 }),
      part('c', { failed: 9 }),
    );
    expect(names(state)).toEqual(['a', 'b', 'c']);
    state = typing(state, 'ssss');
    expect(state.sort['organisations']).toBe(7);
    expect(names(state)).toEqual(['c', 'b', 'a']);
    expect(screen(state).join('\n')).toContain('FAILED▾');
    expect(typing(state, 's').sort).toMatchObject({ organisations: 0, schedulers: 2 });
    expect(names(typing(state, 's'))).toEqual(['a', 'b', 'c']);
  });

  test('the selected row stays selected when others overtake it, and moves stop at the ends', () => {
    const before = typing(organisations(part('a', { queued: 9 }), part('b', { queued: 5 }), part('c')), 'j');
    expect(selected(before)).toBe('organisation boefje b');
    const after = organisations(part('c', { queued: 50 }), part('a', { queued: 9 }), part('b', { queued: 5 }));
    expect(selected({ ...after, selected: before.selected })).toBe('organisation boefje b');
    expect(selected(typing(before, 'jjjjj'))).toBe('organisation boefje c');
    expect(selected(typing(before, 'kkkkk'))).toBe('organisation boefje a');
    expect(selected(pressed(before, key('\u001b[B', 'down')).state)).toBe('organisation boefje c');
    // What it was is gone.
    expect(selected({ ...organisations(part('x')), selected: before.selected })).toBe('organisation boefje x');
    expect(selected(typing(firstState, 'jk'))).toBeUndefined();
  });

  test('while a filter is typed, letters are no commands; control characters are no text', () => {
    const state = typing(organisations(part('acme'), part('quick'), part('other')), '/Q');
    expect([state.mode, names(state)]).toEqual(['filter', ['quick']]);
    const pasted = pressed(state, key('\u001b]0;x\u0007')).state;
    expect(pasted.filter).toBe('Q');
    expect(pressed(state, key('\u007f', 'backspace')).state.filter).toBe('');
    const kept = pressed(state, key('\r', 'return')).state;
    expect([kept.mode, kept.filter]).toEqual(['list', 'Q']);
    expect(pressed(kept, key('\u001b', 'escape')).state.filter).toBe('');
    expect(typing(state, 'x'.repeat(500)).filter).toHaveLength(100);
    expect(screen(typing(state, 'zz')).join('\n')).toContain('nothing matches the filter');
  });

  test('only y changes something, and only what was asked about', () => {
    const state = organisations(part('acme', { queued: 1_000, queued_is_least: true }));
    const asked = typing(state, 'p');
    expect(screen(asked).at(-2)).toBe(
      'pause organisation acme in boefje: 1000+ queued will be held. Sure? y, or any other key',
    );
    for (const no of ['n', '\r', ' ', 'p', 'Y?']) {
      const { state: after, wish } = pressed(asked, key(no));
      expect([after.mode, after.message, wish]).toEqual(['list', 'nothing was changed', undefined]);
    }
    expect(pressed(asked, key('y')).wish).toMatchObject({
      kind: 'change',
      change: { command: 'pause', of: { scheduler: 'boefje', organisation: 'acme' } },
    });
    expect(pressed(typing(firstState, 'p'), key('y')).wish).toBeUndefined();
    const whole = pressed(typing({ ...firstState, figures: figuresOf() }, 'r'), key('y')).wish;
    expect(whole).toMatchObject({ change: { command: 'resume', of: { scheduler: 'normalizer' } } });
  });

  test('an image and a problem cannot be paused, and it says so', () => {
    const parts = { by: 'image' as const, results: [part('nmap')], unanswered: [], failure: null };
    const images: TopState = { ...firstState, view: 'images', figures: figuresOf({}, parts) };
    const problem = typing({ ...firstState, figures: figuresOf({ unanswered: stuck }) }, 'gp');
    for (const state of [typing(images, 'p'), problem])
      expect([state.mode, state.message]).toEqual(['list', expect.stringContaining('select a scheduler')]);
  });

  test('explain gives a problem its advice, a scheduler its verdict, and asks about an organisation', () => {
    const state: TopState = { ...firstState, figures: figuresOf({ unanswered: stuck }) };
    expect(screen(typing(state, 'ge')).join('\n')).toMatch(/does not answer[^]*Do: is its process alive/);
    const verdict = typing(state, 'e');
    expect(verdict.detail?.title).toBe('scheduler normalizer');
    expect(verdict.detail?.lines.join('\n')).toMatch(/^It flows[^]*does a worker run\?/);
    expect(pressed(verdict, key('x')).state).toMatchObject({ mode: 'list', detail: null });
    expect(pressed(organisations(part('a')), key('e')).wish).toMatchObject({ kind: 'explain' });
  });

  test('tab and its reverse go around, and ask for the figures of the view', () => {
    const { state, wish } = pressed(firstState, key('\t', 'tab'));
    expect([state.view, wish]).toEqual(['organisations', { kind: 'look' }]);
    const back = pressed(firstState, { ...key('\u001b[Z', 'tab'), shift: true });
    expect(back.state.view).toBe('images');
    expect(screen({ ...state, figures: figuresOf() }).join('\n')).toContain('looking …');
  });

  test('q quits but in a filter, Ctrl-C everywhere', () => {
    expect(pressed(firstState, key('q')).wish).toEqual({ kind: 'quit' });
    expect(pressed(typing(firstState, '?'), key('q')).wish).toEqual({ kind: 'quit' });
    const filter = typing(firstState, '/');
    expect(pressed(filter, key('q')).wish).toBeUndefined();
    expect(pressed(filter, { ...key('\u0003', 'c'), ctrl: true }).wish).toEqual({ kind: 'quit' });
  });
});

describe('the screen', () => {
  const long = Array.from({ length: 300 }, (_none, n) => part(`org-${n}`, { queued: 300 - n }));
  const crowded: TopState = {
    ...organisations(...long),
    figures: figuresOf({ sources: away(40) }, { by: 'organisation', results: long, unanswered: [], failure: null }),
  };

  test.each([
    [24, 80],
    [10, 40],
    [5, 20],
    [2, 10],
    [60, 200],
  ])('has %d rows of %d columns in every mode, and all of its table fits in', (rows, columns) => {
    for (const state of [crowded, typing(crowded, '?'), typing(crowded, 'ge'), typing(crowded, 'p'), firstState])
      expect(screen(state, now, { rows, columns })).toHaveLength(rows);
    if (columns < 80) return;
    for (const line of screen(crowded, now, { rows, columns })) expect(line.length).toBeLessThanOrEqual(columns);
  });

  test('shows the selected row wherever it is, and how many there are', () => {
    const end = typing(crowded, 'G');
    expect(screen(end).join('\n')).toMatch(/of 300[^]*▸ org-299/);
    const first = typing(end, 'g');
    expect(screen(first)[1]).toMatch(/^▸✖ source 0: away/);
    expect(screen(typing(first, 'j'.repeat(39))).join('\n')).toMatch(/▸✖ source 39[^]*and 34 more/);
  });

  test('problems of one part are told apart', () => {
    const source = { source: 'rabbitmq:x', stream: 'raw_file_received', waiting: 1, retrying: 0, dead: 3 } as const;
    const figures = figuresOf({ sources: [{ ...source, error: 'away', full: 'full' }] });
    const state = typing({ ...firstState, figures }, 'gjj');
    expect(screen(state)[3]).toMatch(/^▸! rabbitmq:x: 3 given up/);
  });

  test('names a stale figure by its age, and why', () => {
    const state = { ...firstState, figures: figuresOf() };
    expect(screen(state)[0]).toMatch(/^rota top {2}2026-03-02 12:00:00 UTC {2}1 supervisor {2}12 queued/);
    expect(screen({ ...state, failure: 'lost' }, { ...now, sinceLook: 61_000 })[0]).toBe(
      'STALE: figures of 1m 1s ago, lost',
    );
    expect(screen(state, { ...now, sinceLook: 9_000 })[0]).toBe('STALE: figures of 9s ago, no answer yet');
  });

  test('says of figures that are stale that something is wrong, and not that nothing is', () => {
    const state = { ...firstState, figures: figuresOf() };
    expect(screen(state).join('\n')).toContain('nothing is wrong');
    for (const stale of [screen({ ...state, failure: 'lost' }), screen(state, { ...now, sinceLook: 9_000 })])
      expect(stale.join('\n')).not.toContain('nothing is wrong');
    const problem = { ...firstState, figures: figuresOf({ unanswered: stuck }), failure: 'lost' };
    expect(screen(problem).join('\n')).toContain('supervisor s0: does not answer');
  });

  test('says of a table that failed why, and not that nothing is queued', () => {
    const parts = { by: 'organisation' as const, results: [], unanswered: [], failure: 'refused' };
    const lines = screen({ ...firstState, view: 'organisations', figures: figuresOf({}, parts) });
    expect(lines.join('\n')).toContain('it cannot be told: refused');
  });

  test('says that nothing is wrong; foreign names keep to their line, without control characters', () => {
    const id = '0e191e18-bc77-405f-8887-80f510304021';
    const lines = screen(
      organisations(part('evil\n\u001b[2J\u202e'), part(id.repeat(3), { queued: 2 }), part(id, { queued: 3 })),
    );
    expect(lines[1]).toBe('✔ nothing is wrong');
    expect(lines.join('\n')).toContain(String.raw`  evil\n\u001b[2J\u202e`);
    // An id that leads a row of other tables has a line of its own.
    expect(lines.filter((line) => /^. {1,2}0e191e18-.* boefje .* [23] /.test(line))).toHaveLength(2);
  });
});
