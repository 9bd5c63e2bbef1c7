import { assert, boolean, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { effectiveConfig, readConfig } from '../../src/config/config.ts';
import { readDsn, serversText, redactedDsn } from '../../src/postgres/dsn.ts';

const wrong = (url: string) => {
  try {
    readDsn(url);
  } catch (error) {
    return error as Error & { code: string };
  }
  throw new Error(`${url} was read`);
};

test.each<[string, string]>([
  ['postgresql://u@h/d', 'h:5432'],
  ['postgres://u@h:1/d', 'h:1'],
  ['postgresql://u:p@h1:1,h2:2/d', 'h1:1,h2:2'],
  ['postgresql://u@h1,h2/d', 'h1:5432,h2:5432'],
  ['postgresql://u@[::1]:7,[fe80::1]/d', '[::1]:7,[fe80::1]:5432'],
  ['postgresql:///d', 'localhost:5432'],
  ['postgresql://u@%2Fvar%2Frun%2Fpostgresql/d', '/var/run/postgresql:5432'],
  ['postgresql:///d?host=/var/run/postgresql&port=6', '/var/run/postgresql:6'],
  ['postgresql://u@ignored:9/d?host=h1,h2&port=1,2', 'h1:1,h2:2'],
  ['postgresql://u@h1,h2/d?port=6', 'h1:6,h2:6'],
])('%s leads to %s', (url, servers) => {
  expect(serversText(readDsn(url))).toBe(servers);
  expect(readConfig({ SCHEDULER_DB_URI: url }).SCHEDULER_DB_URI).toBe(url);
});

test('parameters are read as libpq reads them', () => {
  const url =
    'postgresql://a?dbname=d&user=u%2B+&password=p%26q&application_name=x&options=-c%20geqo%3Doff&connect_timeout=1';
  expect(readDsn(url)).toMatchObject({
    database: 'd',
    user: 'u++',
    password: 'p&q',
    applicationName: 'x',
    options: '-c geqo=off',
    connectWithinMs: 2_000,
    sslMode: 'prefer',
    target: 'any',
  });
  expect(readDsn('postgresql://u@a,b')).toMatchObject({ database: 'u', target: 'primary' });
  expect(readDsn('postgresql://u@a/d?ssl=true')).toMatchObject({ sslMode: 'require' });
  expect(readDsn('postgresql://u@a/d?gssencmode=disable&client_encoding=UTF8&keepalives=1')).toMatchObject({
    user: 'u',
  });
});

test.each<[string, RegExp]>([
  ['?sslmod=require', /the parameter "sslmod" is not known/],
  ['?__proto__=x', /the parameter "__proto__" is not known/],
  ['?sslmode=no-verify', /sslmode=no-verify: expected disable, allow, prefer, require, verify-ca, verify-full/],
  ['?target_session_attrs=master', /target_session_attrs=master: expected any, /],
  ['?gssencmode=require', /gssencmode=require is not supported/],
  ['?connect_timeout=soon', /connect_timeout=soon: expected seconds/],
  ['?sslmode', /the parameter "sslmode" has no value/],
  ['?port=0', /the port "0" is none/],
  ['?host=a,b,c&port=1,2', /2 ports are given for 3 hosts/],
  ['?user=%ff', /no UTF-8/],
])('%s is refused by its name, and no password is shown', (parameters, says) => {
  const { message, code } = wrong(`postgresql://u:hunter2@h/d${parameters}`);
  expect(message).toMatch(says);
  expect(message).toMatch(/^SCHEDULER_DB_URI cannot be used .*: correct it$/);
  expect(message).not.toContain('hunter2');
  expect(code).toBe('BAD_CONFIG');
});

test('whatever is encoded is read back, and no password is ever shown', () => {
  const text = string({ minLength: 1, unit: 'grapheme' }).filter((one) => !one.includes('\0'));
  assert(
    property(text, text, text, boolean(), (user, secret, database, inQuery) => {
      const password = `hunter2${secret}`;
      const encoded = encodeURIComponent(password);
      const url = inQuery
        ? `postgresql://${encodeURIComponent(user)}@h1:1,h2:2/${encodeURIComponent(database)}?password=${encoded}`
        : `postgresql://${encodeURIComponent(user)}:${encoded}@h1:1,h2:2/${encodeURIComponent(database)}`;
      expect(readDsn(url)).toMatchObject({ user, password, database });
      expect(redactedDsn(url)).not.toContain('hunter2');
      const env = { SCHEDULER_DB_URI: url };
      expect(JSON.stringify(effectiveConfig(readConfig(env), env))).not.toContain('hunter2');
    }),
  );
});

test('a password with a comma and a colon in it is not taken for a second URL when the configuration is shown', () => {
  const env = { SCHEDULER_DB_URI: 'postgresql://u:12,hunter2:3@h/d?sslpassword=hunter2' };
  const shown = effectiveConfig(readConfig(env), env).find(({ name }) => name === 'SCHEDULER_DB_URI');
  expect(shown?.value).toBe('postgresql://redacted:redacted@h/d?sslpassword=redacted');
});

test.each(['hunter2/x', 'hunter2?x', '1/hunter2', '1?x=hunter2'])(
  'a password that is not encoded (%s) is refused, and none of it is shown',
  (password) => {
    const url = `postgresql://user:${password}@host/kat`;
    const { message } = wrong(url);
    expect(message).toMatch(/with \/ \? @ and % in a user or password as %2F %3F %40 and %25/);
    expect(`${message}${redactedDsn(url)}`).not.toContain('hunter2');
  },
);
