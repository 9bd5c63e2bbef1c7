import { check } from 'recheck';
import { expect, test } from 'vitest';
import { parseAst } from 'vitest/node';
import { readSources } from '../support/imports.ts';

/**
 * Input of any length meets them: one that takes the square of it is a weapon (16 000 slashes in a path held the main
 * thread for half a second). recheck proves each linear, or has the text that shows that it is not.
 */
const names = /\(\?<[A-Za-z]\w*>/g;

interface Found {
  readonly where: string;
  readonly pattern: string;
  readonly flags: string;
}

test('no regular expression takes more than linear time', { timeout: 120_000 }, async () => {
  const sources = await readSources(new URL('../../', import.meta.url), ['src', 'actors']);
  const found = sources.filter(({ path }) => path.endsWith('.ts')).flatMap(({ path, text }) => literalsOf(path, text));
  expect(found.length).toBeGreaterThan(100);
  const verdicts: string[] = [];
  for (const { where, pattern, flags } of found) {
    // recheck does not know a name that two alternatives have; groups without names match the same.
    const { status, ...rest } = await check(pattern.replaceAll(names, '('), flags, { timeout: 20_000 });
    const shown = 'attack' in rest && rest.attack !== undefined ? `: ${rest.attack.pattern}` : '';
    if (status !== 'safe') verdicts.push(`${where} /${pattern}/${flags} ${status}${shown}`);
  }
  expect(verdicts).toEqual([]);
});

test('an expression is not built from text that comes from outside', async () => {
  const sources = await readSources(new URL('../../', import.meta.url), ['src', 'actors']);
  const built = sources.filter(({ text }) => /\bRegExp\(/.test(text)).map(({ path }) => path);
  // Of two constants.
  expect(built).toEqual(['src/queue/filter/values.ts']);
});

function literalsOf(path: string, text: string): Found[] {
  const found: Found[] = [];
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const { type, regex } = node as { type?: unknown; regex?: { pattern: string; flags: string } };
    if (type === 'Literal' && regex !== undefined) found.push({ where: path, ...regex });
    for (const member of Object.values(node)) walk(member);
  };
  walk(parseAst(text, { lang: 'ts' }));
  return found;
}
