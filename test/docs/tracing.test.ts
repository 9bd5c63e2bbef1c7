import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { handlerSpanName, pushSpanName } from '../../src/telemetry/scheduler-spans.ts';
import { taskStatuses } from '../../src/tasks/task.ts';
import { readSources } from '../support/imports.ts';

const root = new URL('../../', import.meta.url);
const page = await readFile(new URL('docs/tracing.md', root), 'utf8');

test('docs/tracing.md names the spans that it takes over from mula', () => {
  const names = [
    handlerSpanName('boefje', 'scan-profile-mutated'),
    handlerSpanName('boefje', 'look-for-new-boefjes'),
    handlerSpanName('boefje', 'reschedule'),
    handlerSpanName('normalizer', 'raw-file-received'),
    handlerSpanName('report', 'reschedule'),
    ...['boefje', 'normalizer', 'report'].map(pushSpanName),
  ];
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test('docs/tracing.md names every attribute that the source sets, and no other', async () => {
  const attribute = '((?:rota|http|url|server|error)\\.[a-z._]+)';
  const sources = await readSources(root, ['src']);
  const set = sources.flatMap(({ text }) => [...text.matchAll(new RegExp(`'${attribute}':`, 'g'))]);
  const named = [...page.matchAll(new RegExp(`\`${attribute}\``, 'g'))];
  const namesOf = (found: readonly RegExpExecArray[]) => [...new Set(found.map(([, name]) => name!))].toSorted();
  expect(namesOf(named)).toEqual(namesOf(set));
});

test('every span of a task that docs/tracing.md names is of a status that there is', () => {
  const named = [...page.matchAll(/task\.([a-z]+) /g)].map(([, status]) => status!);
  expect(named.filter((status) => status !== 'patch' && !taskStatuses.some((known) => known === status))).toEqual([]);
});
