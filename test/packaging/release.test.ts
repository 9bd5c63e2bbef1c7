import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const script = fileURLToPath(new URL('../../packaging/release.ts', import.meta.url));
const changelog = '# Changelog\n\n## 0.2.0 – 2026-12-01\n\n- It does more.\n\n## 0.1.0 – 2026-11-01\n\n- It does.\n';

/** A repository that can be released as 0.2.0, but for `changes`. */
function repository(changes: Readonly<Record<string, string>> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'rota-release-test-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const files = {
    'package.json': JSON.stringify({ name: 'released', version: '0.2.0', type: 'module', files: ['CHANGELOG.md'] }),
    'package-lock.json': JSON.stringify({ version: '0.2.0', packages: { '': { version: '0.2.0' } } }),
    'clients/python/pyproject.toml': '[project]\nversion = "0.2.0"\n',
    'CHANGELOG.md': changelog,
    ...changes,
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  mkdirSync(join(root, 'packaging'));
  cpSync(script, join(root, 'packaging/release.ts'));
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], {
      cwd: root,
      encoding: 'utf8',
    });
  git('init', '--quiet');
  git('config', 'user.name', 'a');
  git('config', 'user.email', 'a@example.org');
  git('add', '.');
  git('commit', '--quiet', '--message', 'all');
  const release = (...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['packaging/release.ts', ...args], {
      cwd: root,
      encoding: 'utf8',
    });
    return { status, said: `${stdout}${stderr}`.trim().split('\n') };
  };
  return { root, git, release };
}

test('a version is looked at, tagged once, and published from its tag alone', () => {
  const { git, release } = repository();
  expect(release('0.2.0', '--dry-run')).toEqual({
    status: 0,
    said: ['✓ 0.2.0 can be released: npm run release -- 0.2.0'],
  });
  expect(git('tag')).toBe('');
  expect(release('--tagged')).toMatchObject({
    status: 1,
    said: [expect.stringMatching(/^✗ tag v0\.2\.0: expected at this commit/)],
  });
  expect(release('0.2.0')).toMatchObject({
    status: 0,
    said: [expect.stringContaining('git push origin v0.2.0, and npm publish')],
  });
  expect(git('tag')).toBe('v0.2.0\n');
  expect(release('--tagged').status).toBe(0);
  expect(release('0.2.0')).toMatchObject({
    status: 1,
    said: [expect.stringMatching(/^✗ tag v0\.2\.0: expected none yet/)],
  });
});

test('everything that stands against a release is named, and nothing is tagged', () => {
  const { root, git, release } = repository({
    'package.json': JSON.stringify({
      name: 'released',
      version: '0.2.0',
      type: 'module',
      scripts: { prepack: 'echo no compiler; exit 1' },
    }),
    'package-lock.json': JSON.stringify({ version: '0.1.0', packages: { '': { version: '0.2.0' } } }),
    'clients/python/pyproject.toml': '[project]\nversion = "0.1.9"\n',
    'CHANGELOG.md': changelog.replace('2026-12-01', 'unreleased').replace('- It does more.', ''),
  });
  writeFileSync(join(root, 'left.txt'), '');
  const { status, said } = release('0.2.0');
  expect({ status, said: said.filter((line) => line.startsWith('✗')) }).toEqual({
    status: 1,
    said: [
      '✗ package-lock.json: expected version 0.2.0, found 0.1.0',
      '✗ clients/python/pyproject.toml: expected version 0.2.0, found 0.1.9',
      '✗ CHANGELOG.md: expected ## 0.2.0 – <the day of the release, as 2026-12-01>',
      '✗ CHANGELOG.md: expected what users notice of 0.2.0, as a list',
      '✗ working tree: expected nothing uncommitted, found ?? left.txt',
      expect.stringMatching(/^✗ npm pack: .*$/),
    ],
  });
  expect(said.join('\n')).toContain('no compiler');
  expect(git('tag')).toBe('');
  expect(release('0.3.0').said).toContain('✗ CHANGELOG.md: expected a section ## 0.3.0 – <date>');
  expect(release('next')).toEqual({
    status: 64,
    said: [expect.stringContaining('expected one version such as 0.2.0')],
  });
});
