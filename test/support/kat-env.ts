import { readFileSync } from 'node:fs';

/** What the container of KAT's scheduler gets: name to value, as test/fixtures/kat-1x.env has them. */
export function katEnvironment(): Readonly<Record<string, string>> {
  const text = readFileSync(new URL('../fixtures/kat-1x.env', import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}
