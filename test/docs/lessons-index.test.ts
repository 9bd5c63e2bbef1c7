import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const integration = new URL('../integration/', import.meta.url);

/** The first columns of the tables of docs/differences-from-mula.md. */
async function rowsOfTheTable(): Promise<readonly string[]> {
  const page = await readFile(new URL('../../docs/differences-from-mula.md', import.meta.url), 'utf8');
  return [...page.matchAll(/^\| `(lessons [^`]+)`/gm)].map(([, row]) => row!);
}

/** Titles of tests on real services that name a lesson. */
async function titlesOfTests(): Promise<readonly string[]> {
  const files = (await readdir(integration)).filter((file) => file.endsWith('.ts'));
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, integration), 'utf8')));
  return texts.flatMap((text) => [...text.matchAll(/(['"`])(lessons [01].*?)\1,/g)].map(([, , title]) => title!));
}

const beginsWith = (title: string, row: string) => title.startsWith(row) && !/^\d/.test(title.slice(row.length));

test('each row of what Rota does better than mula has a test on real services that bears its name', async () => {
  const [rows, titles] = [await rowsOfTheTable(), await titlesOfTests()];
  expect(rows.filter((row) => row.startsWith('lessons 0.'))).toHaveLength(10);
  expect(rows.filter((row) => row.startsWith('lessons 1: '))).toHaveLength(30);
  expect(rows.filter((row) => !titles.some((title) => beginsWith(title, row)))).toEqual([]);
});

test('each test that names a lesson names one that the table has', async () => {
  const [rows, titles] = [await rowsOfTheTable(), await titlesOfTests()];
  expect(titles.filter((title) => !rows.some((row) => beginsWith(title, row)))).toEqual([]);
});
