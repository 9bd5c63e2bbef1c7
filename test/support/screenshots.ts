import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { palettedPng, pixelsOf } from './png.ts';

const folder = fileURLToPath(new URL('../../docs/images/page/', import.meta.url));
/** Each is in the repository for ever, in each of its versions. */
const mostBytes = 150_000;
const sizes = [
  { width: 1280, height: 900 },
  { width: 390, height: 844 },
] as const;

/**
 * Writes `<name>-<width>-<light|dark>.png` to docs/images/page, of a desktop's and a phone's width: only where
 * ROTA_SCREENSHOTS is set, since what they show changes with each run. The page keeps its own size and colours.
 *
 * @returns the files written.
 */
export async function shoot(page: Page, name: string, into: string = folder): Promise<readonly string[]> {
  if ((process.env['ROTA_SCREENSHOTS'] ?? '') === '') return [];
  const own = page.viewportSize();
  const files: string[] = [];
  await mkdir(into, { recursive: true });
  for (const size of sizes) {
    await page.setViewportSize(size);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.evaluate('document.fonts.ready');
      const shot = await page.screenshot({ animations: 'disabled', caret: 'hide', scale: 'css' });
      const png = palettedPng(pixelsOf(shot));
      const file = join(into, `${name}-${size.width}-${colorScheme}.png`);
      if (png.length > mostBytes) throw new Error(`${file}: ${png.length} bytes, at most ${mostBytes}: show less`);
      await writeFile(file, png);
      files.push(file);
    }
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  if (own !== null) await page.setViewportSize(own);
  return files;
}
