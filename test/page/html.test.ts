import { assert, constantFrom, integer, oneof, property, string } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { moment, whenOf } from '../../src/control/wording.ts';
import { address, foreign, html } from '../../src/page/html.ts';
import { figure, shortFigure, timeOf } from '../../src/page/pieces.ts';
import { oneLine } from '../../src/printable.ts';

const browserClock = new URL('../../src/page/browser/clock.js', import.meta.url).href;
const { whenOf: whenInBrowser } = (await import(browserClock)) as { whenOf: (at: number, now: number) => string };

/** What a parser of HTML gives back of a text or of a value in double quotes. */
function parsed(escaped: string): string {
  const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', amp: '&', '#39': "'" };
  return escaped.replaceAll(/&([a-z]+|#\d+);/g, (whole, name: string) => named[name] ?? whole);
}

const hostile = oneof(
  string({ unit: 'binary' }),
  string({
    unit: constantFrom('<', '>', '"', "'", '&', '`', '=', '\0', '\n', '\u202e', '\u2028', '-', '!', '/', 'a'),
  }),
  constantFrom(
    '"><img src=x onerror=alert(1)>',
    '</title><script>alert(1)</script>',
    'javascript:alert(1)',
    '<!--',
    ']]>',
    '&lt;script&gt;',
    '&#60;script&#62;',
    '${alert(1)}',
    '\u202egnp.exe',
  ),
);

describe('the template', () => {
  test('whatever the text is, parsed it is that text and nothing else: as an element’s and as an attribute’s', () => {
    assert(
      property(hostile, (text) => {
        const shown = String(html`<p title="${text}">${text}</p>`);
        const [, title, content] = /^<p title="([^"<>]*)">([^<>]*)<\/p>$/.exec(shown)!;
        expect(parsed(title!)).toBe(oneLine(text));
        expect(parsed(content!)).toBe(oneLine(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test('nothing that controls a terminal or turns a line round is left', () => {
    assert(
      property(hostile, (text) => {
        expect(String(foreign(text))).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069\u2028\u2029]/u);
      }),
    );
  });

  test('a text of 1 MB is cut in its cell and in its title', () => {
    const shown = String(foreign('<'.repeat(1_000_000)));
    expect(shown.length).toBeLessThan(25_000);
    expect(parsed(shown)).toMatch(/^<bdi title="<{3999}…"><{299}…<\/bdi>$/);
  });

  test('a parameter of an address is that parameter again, and begins no other', () => {
    assert(
      property(hostile, hostile, (ooi, other) => {
        const back = new URL(address('/why', { ooi, other, none: null }), 'http://page').searchParams;
        const expected = { ...(ooi === '' ? {} : { ooi }), ...(other === '' ? {} : { other }) };
        expect(Object.fromEntries(back)).toEqual(
          Object.fromEntries(Object.entries(expected).map(([name, value]) => [name, value.toWellFormed()])),
        );
      }),
    );
  });
});

describe('what the browser counts on', () => {
  test('it words a time as the page and the terminal do', () => {
    const moments = integer({ min: -40_000_000_000, max: 40_000_000_000 });
    assert(
      property(moments, (ms) => {
        const now = 1_800_000_000_000;
        const at = new Date(now + ms).toISOString();
        expect(whenInBrowser(Date.parse(at), now)).toBe(whenOf(at, now));
        expect(parsed(String(timeOf(at, now)))).toBe(
          `<time datetime="${at}" title="${moment(at)}">${whenOf(at, now)}</time>`,
        );
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('a figure', () => {
  test.each([
    [0, '0'],
    [9_999, '9,999'],
    [10_000, '10.0 k'],
    [999_499, '999 k'],
    [999_500, '1.00 M'],
    [1_020_000, '1.02 M'],
    [999_999_999, '1.00 G'],
    [12_345_678_901, '12.3 G'],
    [-20_000, '-20.0 k'],
  ])('%d is %s', (count, text) => expect(shortFigure(count)).toBe(text));

  test('says three digits, and the exact number in its title', () => {
    assert(
      property(integer({ min: 10_000, max: 900_000_000_000 }), (count) => {
        const short = shortFigure(count);
        expect(short).toMatch(/^(?:\d\.\d\d|\d\d\.\d|\d{3}) [kMG]$/);
        const value = Number.parseFloat(short) * { k: 1e3, M: 1e6, G: 1e9 }[short.at(-1) as 'k' | 'M' | 'G'];
        expect(Math.abs(value - count) / count).toBeLessThan(0.006);
        expect(String(figure(count))).toContain(`value="${count}" title="${count.toLocaleString('en')}"`);
      }),
    );
    expect(String(figure(10_000, true))).toContain('title="10,000 at least">10.0 k+<');
  });
});
