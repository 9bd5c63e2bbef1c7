import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { holderOf, newToken, readTokens } from '../src/api-tokens.ts';
import { effectiveConfig, readConfig } from '../src/config/config.ts';

function fileOf(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'rota-tokens-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'tokens');
  writeFileSync(path, text);
  return path;
}

const [rocky, runner] = [newToken('rocky', 'operate'), newToken('runner-1', 'work')];

test('tokens of a file, a list and the one variable are all known, by name and role', () => {
  const file = fileOf(`# who\n\n  ${rocky.line}  \r\n${runner.line}\n`);
  const tokens = readTokens({ SCHEDULER_API_TOKENS_FILE: file, SCHEDULER_API_TOKEN: 'sesame' });
  expect(holderOf(tokens, rocky.token)).toMatchObject({ name: 'rocky', role: 'operate' });
  expect(holderOf(tokens, runner.token)).toMatchObject({ name: 'runner-1', role: 'work' });
  expect(holderOf(tokens, 'sesame')).toMatchObject({ name: 'SCHEDULER_API_TOKEN', role: 'operate' });
  for (const wrong of ['', rocky.line, rocky.line.split(' ')[2]!, `${rocky.token} `, 'x'.repeat(16_000)]) {
    expect(holderOf(tokens, wrong)).toBeNull();
  }
  const listed = readTokens({ SCHEDULER_API_TOKENS: `${rocky.line}, ${runner.line}` });
  expect(holderOf(listed, runner.token)).toMatchObject({ name: 'runner-1' });
  expect(readTokens({})).toEqual([]);
});

test('no two tokens are alike, and none is in its line', () => {
  expect(newToken('a', 'read').token).not.toBe(newToken('a', 'read').token);
  expect(rocky.line).not.toContain(rocky.token);
});

const hash = rocky.line.split(' ')[2]!;

test.each([
  ['a token as it is', 'rocky operate hunter2', /line 1: expected a name, one of read, work, operate, and sha256:/],
  ['an unknown role', `rocky admin ${hash}`, /line 1/],
  ['a name that is none', `ro/cky read ${hash}`, /line 1/],
  ['a word too many', `${rocky.line} x`, /line 1/],
  ['a hash that is cut', `# x\nrocky read ${hash.slice(0, -1)}`, /line 2/],
  ['a name twice', `${rocky.line}\n${rocky.line}`, /two tokens of the REST API are named rocky/],
  ['no token, which would leave REST open', '# none yet\n', /has no token in it: REST would be open/],
  ['too many', Array.from({ length: 101 }, (_, n) => newToken(`n${n}`, 'read').line).join('\n'), /at most 100/],
])('a file with %s stops the start, and is not shown', (_what, text, says) => {
  const file = fileOf(text);
  let message = '';
  try {
    readTokens({ SCHEDULER_API_TOKENS_FILE: file });
  } catch (error) {
    message = (error as Error).message;
  }
  expect(message).toMatch(says);
  expect(message).not.toContain('hunter2');
  expect(message).not.toContain(hash);
});

test('a missing file stops the start', () => {
  expect(() => readTokens({ SCHEDULER_API_TOKENS_FILE: '/nowhere' })).toThrow(/\/nowhere cannot be read \(ENOENT\)/);
});

test.each(['trailing ', ' leading', 'a\ttab', 'a\nline', 'ünï', 'x'.repeat(513)])(
  'a token that no header carries is refused at the start, unseen: %j',
  (token) => {
    const read = () => readConfig({ SCHEDULER_API_TOKEN: token });
    expect(read).toThrow(/SCHEDULER_API_TOKEN=<redacted>: expected 1 to 512 printable ASCII characters/);
  },
);

test('what is shown of the configuration has no token and no hash in it', () => {
  const env = {
    SCHEDULER_API_TOKENS: rocky.line,
    SCHEDULER_API_TOKEN: 'two words',
    SCHEDULER_API_TOKENS_FILE: '/run/t',
  };
  const shown = JSON.stringify(effectiveConfig(readConfig(env), env));
  expect(shown).not.toContain(hash);
  expect(shown).not.toContain('two words');
});
