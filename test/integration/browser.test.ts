import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { noChromium, startBrowser } from '../support/chromium.ts';
import { pixelsOf } from '../support/png.ts';
import { shoot } from '../support/screenshots.ts';

const support = new URL('../support/chromium.ts', import.meta.url).href;
const body = `<!doctype html><html lang="en"><title>Queue</title>
<style>
  :root { color-scheme: light dark; --surface: #fedcba; }
  @media (prefers-color-scheme: dark) { :root { --surface: #123456; } }
  body { font: 16px system-ui; background: var(--surface); }
  code { font-family: monospace; }
  span, code { display: block; width: 100px; height: 20px; }
</style>
<h1>Tasks</h1><span id="a">rota</span><span id="b">task</span><span id="again">rota</span>
<code id="c">rota</code><code id="d">task</code>
<img src="/none.png">`;

describe.skipIf(await noChromium())('a browser', () => {
  let browser: Browser;
  let url: string;
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/' ? 200 : 404, { 'content-type': 'text/html' });
    response.end(request.url === '/' ? body : '');
  });

  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser.close();
    server.closeAllConnections();
    server.close();
  });
  afterEach(() => vi.unstubAllEnvs());

  async function opened() {
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    await page.goto(url);
    return page;
  }

  test('renders text: other words are other pixels, in the font of the text and in that of code', async () => {
    const page = await opened();
    expect(await page.getByRole('heading').textContent()).toBe('Tasks');
    const shot = async (id: string) => pixelsOf(await page.locator(id).screenshot());
    const a = await shot('#a');
    // Without a font, each letter would be the same box.
    expect(await shot('#b')).not.toEqual(a);
    expect(await shot('#again')).toEqual(a);
    expect(await shot('#d')).not.toEqual(await shot('#c'));
    expect(new Set(a.rgb).size).toBeGreaterThan(10);
  });

  test('axe-core finds what a screen reader would miss', async () => {
    const page = await opened();
    await page.addScriptTag({ path: createRequire(import.meta.url).resolve('axe-core') });
    const { violations } = await page.evaluate<{ violations: readonly { id: string }[] }>('axe.run()');
    expect(violations.map(({ id }) => id)).toContain('image-alt');
    expect(violations.map(({ id }) => id)).not.toContain('document-title');
  });

  test('a page reaches nothing but 127.0.0.1 and localhost', async () => {
    const page = await opened();
    // Both would be found on this machine: by name, and by an address.
    for (const other of [url.replace('127.0.0.1', 'rota.localhost'), url.replace('127.0.0.1', '127.0.0.2')]) {
      const [failed] = await Promise.all([
        page.waitForEvent('requestfailed'),
        page.evaluate(`void fetch('${other}', { mode: 'no-cors' }).catch(() => {})`),
      ]);
      expect(failed.url()).toBe(other);
      expect(failed.failure()?.errorText).toBe('net::ERR_NAME_NOT_RESOLVED');
    }
  });

  test('screenshots are of a wide screen in light and a narrow one in dark, small, and written when asked for', async () => {
    const page = await opened();
    const folder = await temporary();
    vi.stubEnv('ROTA_SCREENSHOTS', '');
    expect(await shoot(page, 'queue', folder)).toEqual([]);
    vi.stubEnv('ROTA_SCREENSHOTS', '1');
    const files = await shoot(page, 'queue', folder);
    expect(files.map((file) => basename(file))).toEqual(['queue-1280-light.png', 'queue-390-dark.png']);
    for (const file of files) {
      const png = await readFile(file);
      expect(png.length).toBeLessThan(20_000);
      // Chromium reads what we wrote: its size, and the colour of the surface to the bit.
      const seen = await page.evaluate(`(async () => {
        const image = await createImageBitmap(await (await fetch('data:image/png;base64,${png.toString('base64')}')).blob());
        const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
        canvas.drawImage(image, 0, 0);
        return [image.width, ...canvas.getImageData(image.width - 1, 1, 1, 1).data];
      })()`);
      const width = file.includes('390') ? 390 : 1280;
      expect(seen).toEqual(file.includes('dark') ? [width, 0x12, 0x34, 0x56, 255] : [width, 0xfe, 0xdc, 0xba, 255]);
    }
    expect(page.viewportSize()).toEqual({ width: 1280, height: 720 });
  });

  test.each(['SIGKILL', 'SIGTERM', null] as const)('ends with the process that started it: %s', async (signal) => {
    const folder = await temporary();
    const script = `await (await import(${JSON.stringify(support)})).startBrowser();
      console.log('started'); process.stdin.once('data', () => process.exit());`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    expect((await processesOf(folder)).length).toBeGreaterThan(2);
    if (signal === null) child.stdin.write('\n');
    else child.kill(signal);
    await expect.poll(() => processesOf(folder)).toEqual([]);
  });
});

describe('where there is no Chromium', () => {
  const nowhere = () => Promise.reject(new Error('no Chromium here'));
  afterEach(() => vi.unstubAllEnvs());

  test('scenarios are skipped with one sentence, and fail where they are required', async () => {
    vi.stubEnv('CHROMIUM', '');
    vi.stubEnv('ROTA_REQUIRE_CHROMIUM', '');
    const said = vi.spyOn(console, 'warn').mockImplementation(() => {});
    onTestFinished(() => said.mockRestore());
    expect(await noChromium(nowhere)).toBe(true);
    expect(said.mock.calls).toEqual([['Browser tests are skipped: no Chromium here']]);
    vi.stubEnv('ROTA_REQUIRE_CHROMIUM', '1');
    await expect(noChromium(nowhere)).rejects.toThrow('no Chromium here');
  });

  test('a CHROMIUM that is no program is refused, not skipped', async () => {
    const script = `await (await import(${JSON.stringify(support)})).noChromium()`;
    const env = { ...process.env, CHROMIUM: '/nowhere/chromium' };
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env });
    await expect(run).rejects.toThrow('CHROMIUM: expected the path of a program, got /nowhere/chromium');
  });
});

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rota-browser-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** Chromium's, by the folder of its profile and of its crash reports. */
async function processesOf(folder: string): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-axww', '-o', 'pid=,args='], { maxBuffer: 10_000_000 });
  return stdout.split('\n').filter((line) => line.includes(folder) && !line.includes('-axww'));
}
