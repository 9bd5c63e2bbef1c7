import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { palettedPng, pixelsOf } from './png.ts';

const folder = fileURLToPath(new URL('../../docs/images/page/', import.meta.url));
/** Each is in the repository for ever, in each of its versions. */
const mostBytes = 150_000;
/** A desktop's and a phone's: between them they have both widths and both colour schemes. */
const looks = [
  { size: { width: 1280, height: 900 }, colorScheme: 'light' },
  { size: { width: 390, height: 844 }, colorScheme: 'dark' },
] as const;

/** What is written changes with each run, so that it is written where it is asked for alone. */
export function screenshotsAreWanted(): boolean {
  return (process.env['ROTA_SCREENSHOTS'] ?? '') !== '';
}

/**
 * Writes `<name>-1280-light.png` and `<name>-390-dark.png` to docs/images/page, where ROTA_SCREENSHOTS is set. The page keeps its
 * own size and colours.
 *
 * @returns the files written.
 */
export async function shoot(page: Page, name: string, into: string = folder): Promise<readonly string[]> {
  if (!screenshotsAreWanted()) return [];
  const own = page.viewportSize();
  const files: string[] = [];
  await mkdir(into, { recursive: true });
  for (const { size, colorScheme } of looks) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.evaluate('document.fonts.ready');
    const shot = await page.screenshot({ animations: 'disabled', caret: 'hide', scale: 'css' });
    const png = palettedPng(pixelsOf(shot));
    const file = join(into, `${name}-${size.width}-${colorScheme}.png`);
    if (png.length > mostBytes) throw new Error(`${file}: ${png.length} bytes, at most ${mostBytes}: show less`);
    await writeFile(file, png);
    files.push(file);
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  if (own !== null) await page.setViewportSize(own);
  return files;
}
