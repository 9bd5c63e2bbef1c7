import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Python {
  /** A new, empty environment. */
  environment(): Promise<PythonEnvironment>;
}

export interface PythonEnvironment {
  /** Its own python. */
  readonly python: string;
  /** A python that has pip: its own, or that of the machine. */
  readonly withPip: string;
  /** `pip …` for it. */
  pip(...args: readonly string[]): Promise<void>;
  remove(): Promise<void>;
}

/** pip, with what it fetches. */
const withinMs = 300_000;

/**
 * `$PYTHON`, else python3, of 3.10 or newer, that can make environments.
 *
 * @throws with the sentence of what is missing.
 */
export async function findPython(): Promise<Python> {
  const named = process.env['PYTHON'] ?? '';
  const python = named === '' ? 'python3' : named;
  const asked =
    'import sys, venv\ntry: import ensurepip as pip\nexcept ImportError: import pip\nprint(sys.version_info >= (3, 10), pip.__name__)';
  const { stdout } = await run(python, ['-c', asked]).catch((error: unknown) => {
    const [said] = ((error as { stderr?: string }).stderr ?? '').trim().split('\n').slice(-1);
    const why = said === undefined || said === '' ? (error as Error).message : said;
    const advice = 'install it (Debian: apt-get install python3-venv python3-pip) or set PYTHON to its path';
    throw new Error(`no Python with venv and pip here (${why}): ${advice}`, { cause: error });
  });
  const [recent, pip] = stdout.trim().split(' ');
  if (recent !== 'True') throw new Error(`${python}: expected Python 3.10 or newer; set PYTHON to one`);
  return {
    async environment() {
      await mkdir(join(root, '.rota'), { recursive: true });
      const folder = await mkdtemp(join(root, '.rota', 'python-'));
      const inside = join(folder, 'bin/python');
      // Debian has ensurepip in a package of its own; without it pip of the machine installs for the environment.
      const own = pip === 'ensurepip';
      await run(python, ['-m', 'venv', ...(own ? [] : ['--without-pip']), folder], { timeout: withinMs });
      const command = own ? [inside, '-m', 'pip'] : [python, '-m', 'pip', '--python', inside];
      return {
        python: inside,
        withPip: command[0]!,
        async pip(...args) {
          const options = ['--quiet', '--disable-pip-version-check', '--no-input'];
          await run(command[0]!, [...command.slice(1), ...args, ...options], { timeout: withinMs });
        },
        remove: () => rm(folder, { recursive: true, force: true }),
      };
    },
  };
}

/**
 * For `test.skipIf(await noPython())`. Says why in one sentence.
 *
 * @throws where the tests must not be skipped: .ci/run sets ROTA_REQUIRE_PYTHON.
 */
export async function noPython(find: () => Promise<unknown> = findPython): Promise<boolean> {
  try {
    await find();
    return false;
  } catch (error) {
    const set = (variable: string) => (process.env[variable] ?? '') !== '';
    // A misspelt path is a mistake, not a machine without Python.
    if (set('ROTA_REQUIRE_PYTHON') || set('PYTHON')) throw error;
    console.warn(`Tests of the Python package are skipped: ${(error as Error).message}`);
    return true;
  }
}
