import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RestOnPostgres, serveOnPostgres } from '../support/rest.ts';
import { boefjeTask, ooiOf, popRequest, queueUnderTest } from '../support/queue.ts';

const megabyte = 1_024 * 1_024;
const bound = 8 * megabyte;

let rest: RestOnPostgres;

beforeAll(async () => {
  rest = await serveOnPostgres();
});
afterAll(() => rest.stop());

/** Text that Postgres cannot compress, and text that it compresses to a hundredth. */
const texts = {
  random: (bytes: number) => Array.from({ length: Math.ceil(bytes / 36) }, () => randomUUID()).join(''),
  even: (bytes: number) => 'x'.repeat(bytes),
};

interface Answer {
  readonly count: number;
  readonly next: string | null;
  readonly results: { readonly id: string }[];
}

test.each(['random', 'even'] as const)(
  'a page of large rows (%s text) ends early, and its links lead to each row once',
  async (kind) => {
    const organisation = `pages-${kind}`;
    const stored: string[] = Array.from({ length: 12 }, () => randomUUID());
    for (const id of stored) {
      const data = JSON.stringify({ text: texts[kind](1_900_000) });
      await rest.sql`INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at)
      VALUES (${id}, 'boefje', ${organisation}, 'boefje', ${id.slice(0, 32)}, 1, ${data}::text::jsonb, 'COMPLETED', now())`;
      await rest.sql`INSERT INTO schedules (id, scheduler_id, organisation, hash, data, enabled, created_at, modified_at, inherited)
      VALUES (${id}, 'boefje', ${organisation}, ${id.slice(0, 32)}, ${data}::text::jsonb, false, now(), now(), false)`;
    }
    for (const list of ['tasks', 'schedules']) {
      const seen: string[] = [];
      let url: string | null =
        `${rest.url}/${list}?limit=20&${list === 'tasks' ? 'scheduler_id=boefje&' : ''}organisation=${organisation}`;
      let pages = 0;
      while (url !== null && pages < 40) {
        const text: string = await (await fetch(url)).text();
        expect(text.length).toBeLessThan(bound + 2 * megabyte);
        const { count, next, results } = JSON.parse(text) as Answer;
        if (list === 'tasks') expect(count).toBeGreaterThanOrEqual(12);
        if (results.length === 0) break;
        seen.push(...results.map(({ id }) => id));
        pages += 1;
        url = next;
      }
      expect(seen.toSorted()).toEqual(stored.toSorted());
      expect(new Set(seen).size).toBe(12);
      expect(pages).toBeLessThan(6);
    }
  },
);

test.each(['random', 'even'] as const)(
  'a pop of large tasks (%s text) hands out what has room, in order, and each once',
  async (kind) => {
    const { queue, sql } = await queueUnderTest();
    const names = Array.from({ length: 12 }, (_, at) => `${at}`.padStart(2, '0'));
    for (const [at, name] of names.entries()) {
      const task = boefjeTask(name, { priority: at + 1 });
      await queue.push('boefje', [{ ...task, data: { ...task.data, text: texts[kind](1_900_000) } }]);
    }
    const handedOut: string[] = [];
    while (handedOut.length < names.length) {
      const popped = await queue.pop('boefje', popRequest({ limit: 1_000, via: 'rest' }));
      expect(popped.length).toBeGreaterThan(0);
      expect(popped.reduce((sum, { task }) => sum + task.length, 0)).toBeLessThan(bound + 2 * megabyte);
      handedOut.push(...popped.map(ooiOf));
    }
    expect(handedOut).toEqual(names);
    const [attempts] = await sql`SELECT max(attempts)::int AS most FROM tasks`;
    expect(attempts!['most']).toBe(1);
  },
);

test('pops that wait at once are each handed a task, however large they are', async () => {
  const { queue } = await queueUnderTest();
  const pops = Array.from({ length: 12 }, () => queue.pop('boefje', popRequest({ waitMs: 20_000 })));
  const tasks = Array.from({ length: 12 }, (_, at) => boefjeTask(`${at}`)).map((task) => ({
    ...task,
    data: { ...task.data, text: texts.random(1_900_000) },
  }));
  await queue.push('boefje', tasks);
  const popped = await Promise.all(pops);
  expect(popped.map((one) => one.length)).toEqual(popped.map(() => 1));
});
