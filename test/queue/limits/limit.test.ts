import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  keyOf,
  type LimitedTask,
  limitName,
  nameOfGroup,
  readReference,
  templateFault,
  templateOfGroup,
} from '../../../src/queue/limits/limit.ts';

const task = (ooi: string | null, fields: Partial<LimitedTask> = {}): LimitedTask => ({
  scheduler: 'boefje',
  organisation: 'aa',
  plugin: 'nmap',
  image: 'img:a',
  ooi,
  manual: false,
  ...fields,
});
const key = (template: string, ooi: string | null) => keyOf({ name: 'x', template }, task(ooi)).key;

describe('host and address are read from the reference', () => {
  test.each([
    ['Hostname|internet|Example.COM', 'example.com', null],
    ['IPAddressV4|internet|192.0.2.7', null, '192.0.2.7'],
    ['IPAddressV6|internet|2001:DB8::1', null, '2001:db8::1'],
    ['IPPort|internet|192.0.2.7|tcp|443', null, '192.0.2.7'],
    ['IPService|internet|2001:db8:0:0::1|tcp|443|https', null, '2001:db8::1'],
    ['ResolvedHostname|internet|example.com|internet|192.0.2.7', 'example.com', '192.0.2.7'],
    ['Website|internet|192.0.2.7|tcp|443|https|internet|www.example.com', 'www.example.com', '192.0.2.7'],
    ['HostnameHTTPURL|https|internet|example.com|443|/index.html', 'example.com', null],
    ['URL|internet|https://user@example.com:8443/a|b', 'example.com', null],
    ['URL|internet|http://[2001:db8::1]/', null, '2001:db8::1'],
    ['DNSZone|internet|example.com.', 'example.com', null],
    ['Network|internet', null, null],
    ['', null, null],
  ])('%s', (ooi, host, address) => {
    expect(readReference(ooi)).toMatchObject({ host, address });
  });
});

describe('the value of a template', () => {
  test.each([
    ['api:shodan', null, 'x/api:shodan'],
    ['boefje:{boefje}', null, 'x/boefje:nmap'],
    ['{organisation} {image} {scheduler}', null, 'x/aa img:a boefje'],
    ['host:{host}', 'Hostname|internet|a.nl', 'x/host:a.nl'],
    ['host:{host}', 'IPPort|internet|192.0.2.7|tcp|443', 'x/host:192.0.2.7'],
    ['net:{ip/24}', 'IPAddressV4|internet|192.0.2.7', 'x/net:192.0.2.0/24'],
    ['net:{ip/24}', 'IPAddressV6|internet|2001:db8:1:2:3::1', 'x/net:2001:db8:1:2::/64'],
    ['net:{ip/64}', 'IPAddressV4|internet|192.0.2.7', 'x/net:192.0.2.7/32'],
    ['net:{ip/64}', 'IPAddressV6|internet|2001:db8:1:2:3::1', 'x/net:2001:db8:1:2::/64'],
    ['{ooi_type}', 'Hostname|internet|a.nl', 'x/Hostname'],
  ])('%s of %s', (template, ooi, expected) => {
    expect(key(template, ooi)).toBe(expected);
  });

  test('what cannot be read is the OOI itself: it never turns a limit off', () => {
    expect(keyOf({ name: 'x', template: 'net:{ip/24}' }, task('Hostname|internet|a.nl'))).toEqual({
      key: 'x/?Hostname|internet|a.nl',
      fellBack: true,
    });
    expect(key('host:{host}', null)).toBe('x/?');
  });

  test('any reference makes a key that fits into an index, and the same reference the same one', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 2_048, unit: 'grapheme' }), (ooi) => {
        const made = key('{ooi} {host} {ip/24}', ooi);
        expect(Buffer.byteLength(made)).toBeLessThan(2_000);
        expect(made).toBe(key('{ooi} {host} {ip/24}', ooi));
      }),
    );
  });
});

test.each([
  ['', /names nothing/],
  ['host:{hots}', /unknown placeholder \{hots\}/],
  ['net:{ip/0}', /unknown placeholder/],
  ['net:{ip/129}', /unknown placeholder/],
  ['host:{host', /a brace/],
  ['api:shodan', null],
  ['{ip/24}', null],
])('the template %j', (template, fault) => {
  if (fault === null) expect(templateFault(template)).toBeNull();
  else expect(templateFault(template)).toMatch(fault);
});

test.each([
  ['api.shodan.io', 'api.shodan.io', 'katalogus.api.shodan.io'],
  ['shodan:{input_ooi}', 'shodan:{ooi}', /^katalogus\.shodan-input_ooi-/],
  ['{object_type} {address} {', '{ooi_type} {ooi} ', /^katalogus\./],
])('what a manifest calls the group %j becomes a template and a name', (group, template, name) => {
  expect(templateOfGroup(group)).toBe(template);
  expect(templateFault(template)).toBeNull();
  expect(nameOfGroup(group)).toMatch(limitName);
  expect(nameOfGroup(group)).toMatch(name);
});
