import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { fieldsOf, tableOf } from '../src/cli/table.ts';
import { RotaError } from '../src/errors.ts';
import { excerptInJson } from '../src/printable.ts';
import { logToLines } from './support/lines.ts';

/** What moves a cursor, clears a screen, sets a title, ends a line, or turns the order of what follows. */
const harmful = [
  ...Array.from({ length: 0x20 }, (_, unit) => String.fromCharCode(unit)),
  ...Array.from({ length: 0x21 }, (_, unit) => String.fromCharCode(0x7f + unit)),
  ...[0x061c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069, 0xfeff].map((unit) =>
    String.fromCharCode(unit),
  ),
  '\u{e0002}',
  '\u{e0041}',
];
const controls = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\u{e0000}-\u{e007f}]/u;
const foreign = fc
  .array(fc.oneof(fc.constantFrom(...harmful), fc.string({ unit: 'binary', maxLength: 5 })))
  .map((parts) => parts.join(''));

test('whatever is in a cell of a table or in a field: it stays in its row, and moves nothing', () => {
  fc.assert(
    fc.property(foreign, fc.option(fc.integer({ min: 20, max: 100 })), (text, width) => {
      const rows = [
        [text, 'after'],
        ['next', text],
      ];
      const table = tableOf(['A', 'B'], rows, width);
      expect(table.split('\n')).toHaveLength(3);
      expect(table.replaceAll('\n', '')).not.toMatch(controls);
      expect(tableOf([`H`, 'I'], rows, width, { wrap: true }).replaceAll('\n', '')).not.toMatch(controls);
      const fields = fieldsOf([
        ['name', text],
        ['other', 1],
      ]);
      expect(fields.split('\n')).toHaveLength(2);
      expect(fields.replaceAll('\n', '')).not.toMatch(controls);
    }),
  );
});

test.for(['text', 'json'] as const)('whatever is logged as %s, no control character reaches the terminal', (format) => {
  fc.assert(
    fc.property(foreign, (text) => {
      const { log, lines } = logToLines({ format, debug: true, bindings: { actor: text } });
      log.warn({ ooi: text, failure: { code: 'SERVICE_REJECTED', message: text } }, 'declined');
      log.info({ nested: { list: [text] } }, text);
      expect(lines).toHaveLength(2);
      log.error({ err: new Error(text) }, 'queue');
      expect(lines.join('').replaceAll('\n', '')).not.toMatch(controls);
      if (format === 'json') expect(JSON.parse(lines[0]!)).toMatchObject({ ooi_primary_key: text, reason: text });
    }),
  );
});

test.for(['text', 'json'] as const)('a line of the %s log has 8 kB at most, and says what was cut', (format) => {
  const long = 'x'.repeat(1_000_000);
  const { log, lines } = logToLines({ format, debug: false, bindings: { actor: 'boefje' } });
  log.warn({ organisation: long, task: 't-1' }, 'declined');
  log.warn({ list: Array.from({ length: 5_000 }, () => '\u001b\u009b') }, 'many');
  log.warn(Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`field${at}`, at])), 'wide');
  log.error({ err: new RotaError('BROKEN', long, { cause: new Error(long) }) }, 'queue');
  log.error({ err: new Error('é'.repeat(7_000)) }, 'queue');
  log.info({}, long);
  for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(8_192);
  expect(lines).toHaveLength(6);
  expect(lines[0]).toMatch(/t-1/);
  if (format === 'text') return expect(lines[0]).toMatch(/"cut":\{"organisation_id":1000000\}/);
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(parsed[0]).toMatchObject({ event: 'declined', level: 'warning', cut: { organisation_id: 1_000_000 } });
  expect(parsed[3]!['exception']).toMatch(/^RotaError: x{100}/);
  for (const line of parsed) expect(Object.keys(line['cut'] as object).length).toBeGreaterThan(0);
});

test('an excerpt has the bytes that it may have as JSON, and as much of the text as they hold', () => {
  fc.assert(
    fc.property(foreign, fc.integer({ min: 10, max: 200 }), (part, most) => {
      const text = part.repeat(20);
      const cut = excerptInJson(text, most);
      const bytes = Buffer.byteLength(JSON.stringify(cut)) - 2;
      expect(bytes).toBeLessThanOrEqual(most);
      if (cut === text) return;
      // A pair that is cut in half is replaced.
      expect(text.toWellFormed().startsWith(cut.slice(0, -1).replace(/\uFFFD$/, ''))).toBe(true);
      expect(bytes).toBeGreaterThan(most / 2 - 10);
    }),
  );
});
