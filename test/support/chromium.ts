import { access, constants, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium as playwright } from 'playwright-core';
import { unpackDebian } from '../../src/embedded/process.ts';

interface Chromium {
  readonly path: string;
  /** Where Debian's packages were unpacked, if they were: its libraries and fonts are there. */
  readonly root: string | null;
}

let found: Promise<Chromium> | null = null;

/**
 * `$CHROMIUM`, else the installed one, else Debian's, unpacked beside the checkout: 126 MB to fetch, 400 MB on disk, 7 s
 * where the network takes 1 s of them.
 *
 * @throws where there is none, and none can be unpacked.
 */
export function findChromium(): Promise<Chromium> {
  found ??= locate();
  return found;
}

/**
 * For `describe.skipIf(await noChromium())`. Says why in one sentence.
 *
 * @throws where scenarios must not be skipped: .ci/run sets ROTA_REQUIRE_CHROMIUM.
 */
export async function noChromium(find: () => Promise<unknown> = findChromium): Promise<boolean> {
  try {
    await find();
    return false;
  } catch (error) {
    // A misspelt path is a mistake, not a machine without a browser.
    if (isSet('ROTA_REQUIRE_CHROMIUM') || isSet('CHROMIUM')) throw error;
    console.warn(`Browser tests are skipped: ${(error as Error).message}`);
    return true;
  }
}

const isSet = (variable: string) => (process.env[variable] ?? '') !== '';

async function locate(): Promise<Chromium> {
  if (isSet('CHROMIUM')) {
    const path = process.env['CHROMIUM']!;
    if (!(await executable(path))) throw new Error(`CHROMIUM: expected the path of a program, got ${path}`);
    return { path, root: null };
  }
  for (const path of installed) if (await executable(path)) return { path, root: null };
  try {
    const root = await unpackDebian('chromium', packages, { dependencies: true });
    return { path: join(root, 'usr/lib/chromium/chromium'), root };
  } catch (error) {
    const [reason] = (error as Error).message.split('\n').filter((line) => line.startsWith('E: '));
    const why = reason ?? (error as Error).message.split('\n')[0];
    throw new Error(
      `no Chromium here: install it (Debian: apt-get install chromium) or set CHROMIUM to its path; unpacking Debian's failed: ${why}`,
      { cause: error },
    );
  }
}

const installed = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const packages = ['chromium', 'fonts-liberation', 'fonts-dejavu-core'];

async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * A headless Chromium, one for a test file: it takes 350 MB. It ends with close(), and with this process. It reaches nothing but
 * 127.0.0.1 and localhost: what a page loads from elsewhere fails, and so does what Chromium asks for by itself.
 */
export async function startBrowser(): Promise<Browser> {
  const { path, root } = await findChromium();
  // Its caches, settings and certificates.
  const home = await mkdtemp(join(tmpdir(), 'rota-chromium-'));
  const removeHome = () => rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', removeHome);
  try {
    const browser = await playwright.launch({
      executablePath: path,
      headless: true,
      // Chromium's sandbox refuses root.
      chromiumSandbox: process.getuid?.() !== 0,
      // Beside those that Playwright adds: --disable-dev-shm-usage, and what keeps Chromium from asking its makers.
      args: ['--disable-quic', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost'],
      env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home, ...(await unpacked(root, home)) },
      timeout: 60_000,
      // A signal ends this process as before; Chromium sees its pipe close, and ends too.
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
    });
    browser.once('disconnected', () => {
      process.off('exit', removeHome);
      removeHome();
    });
    return browser;
  } catch (error) {
    removeHome();
    throw error;
  }
}

async function unpacked(root: string | null, home: string): Promise<Readonly<Record<string, string>>> {
  if (root === null) return {};
  const fonts = join(home, 'fonts.conf');
  await writeFile(fonts, fontsOf(join(root, 'usr/share/fonts'), home));
  const libraries = ['usr/lib', 'lib'].map((folder) =>
    join(root, folder, process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'),
  );
  // Some keep libraries in a folder of their own, as libpulse0 does, and know it by its absolute path.
  const below = await Promise.all(
    libraries.map(async (folder) =>
      (await readdir(folder, { withFileTypes: true }).catch(() => []))
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => join(folder, name)),
    ),
  );
  return { LD_LIBRARY_PATH: [...libraries, ...below.flat()].join(':'), FONTCONFIG_FILE: fonts };
}

/** These fonts alone, so that a screenshot looks the same on each machine. */
function fontsOf(folder: string, cache: string): string {
  const prefer = (family: string, ...fonts: readonly string[]) =>
    `<alias binding="strong"><family>${family}</family><prefer>${fonts.map((font) => `<family>${font}</family>`).join('')}</prefer></alias>`;
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<dir>${folder}</dir>
<cachedir>${cache}</cachedir>
${prefer('sans-serif', 'Liberation Sans', 'DejaVu Sans')}
${prefer('serif', 'Liberation Serif', 'DejaVu Serif')}
${prefer('monospace', 'DejaVu Sans Mono', 'Liberation Mono')}
<match><edit name="family" mode="append_last"><string>Liberation Sans</string></edit></match>
</fontconfig>
`;
}
