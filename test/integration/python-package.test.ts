import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { findPython, noPython } from '../support/python.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const source = join(root, 'clients/python');

test('the package has the version of Rota', async () => {
  const versionIn = async (file: string, pattern: RegExp) =>
    pattern.exec(await readFile(join(root, file), 'utf8'))?.[1];
  expect(await versionIn('clients/python/pyproject.toml', /^version = "(.+)"$/m)).toBe(
    await versionIn('package.json', /"version": "(.+)"/),
  );
});

test('a machine without Python skips these tests with a sentence, unless they are required', async () => {
  const without = () => Promise.reject(new Error('no Python here'));
  const required = process.env['ROTA_REQUIRE_PYTHON'];
  try {
    process.env['ROTA_REQUIRE_PYTHON'] = '1';
    await expect(noPython(without)).rejects.toThrow('no Python here');
    delete process.env['ROTA_REQUIRE_PYTHON'];
    if ((process.env['PYTHON'] ?? '') === '') expect(await noPython(without)).toBe(true);
  } finally {
    if (required !== undefined) process.env['ROTA_REQUIRE_PYTHON'] = required;
  }
});

describe.skipIf(await noPython())('clients/python', () => {
  test('the wheel works from an empty environment, on a Rota of its own', { timeout: 900_000 }, async () => {
    const python = await findPython();
    const environment = await python.environment();
    try {
      const make = { cwd: root, env: { ...process.env, PYTHON: environment.withPip }, timeout: 300_000 };
      const { stdout: made } = await run('make', ['python'], make);
      expect(made).toMatch(/^clients\/python\/dist\/rota_worker-.+-py3-none-any\.whl\n$/);
      const wheel = join(root, made.trim());
      // The wheel alone brings all that a worker imports.
      await environment.pip('install', wheel);
      await run(environment.python, ['-c', 'import rota_worker']);
      await environment.pip('install', `${wheel}[dev]`);
      // Elsewhere, so that Python finds the installed package and not its source.
      const tools = (...args: string[]) =>
        run(environment.python, ['-m', ...args], { cwd: source, maxBuffer: 16_777_216 }).catch((error: unknown) => {
          const { stdout, stderr } = error as { stdout?: string; stderr?: string };
          throw new Error(`${args.join(' ')}:\n${stdout}\n${stderr}`.slice(-12_000), { cause: error });
        });
      await tools('ruff', 'format', '--check', '.');
      await tools('ruff', 'check', '.');
      await tools('mypy');
      const { stdout } = await tools('pytest', '-p', 'no:cacheprovider');
      expect(stdout).toMatch(/\d+ passed/);
      expect(stdout).not.toMatch(/skipped/);
    } finally {
      await environment.remove();
    }
  });
});
