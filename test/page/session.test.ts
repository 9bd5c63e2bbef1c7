import { createHash } from 'node:crypto';
import { Signer } from '@fastify/cookie';
import { describe, expect, test } from 'vitest';
import { cookieName, readPageAccess, type Session, Sessions, sessionSeconds } from '../../src/page/session.ts';
import { pageAccess, tokensFor } from '../support/page.ts';

const { tokens, of } = tokensFor({ ops: 'operate', wall: 'read', runner: 'work' });
const start = 1_800_000_000_000;

function sessions(options: Parameters<typeof pageAccess>[0] = {}) {
  const clock = { now: start };
  return { clock, sessions: new Sessions(pageAccess({ tokens, ...options }), () => clock.now) };
}

const cookieOf = (of: Sessions, token: string) => of.logIn(token)!.cookie;

describe('a session', () => {
  test.each([
    ['ops', 'operate'],
    ['wall', 'read'],
    ['runner', 'read'],
  ] as const)('of the token %s may %s', (name, access) => {
    const { sessions: it } = sessions();
    const expected: Session = { name, access };
    expect(it.logIn(of[name])!.session).toEqual(expected);
    expect(it.of(cookieOf(it, of[name]))).toEqual(expected);
  });

  test('ends after twelve hours', () => {
    const { sessions: it, clock } = sessions();
    const cookie = cookieOf(it, of.ops);
    clock.now = start + sessionSeconds * 1_000 - 1;
    expect(it.of(cookie)).not.toBeNull();
    clock.now = start + sessionSeconds * 1_000;
    expect(it.of(cookie)).toBeNull();
  });

  test('is of every supervisor with the same secret, and of no other', () => {
    const cookie = cookieOf(sessions().sessions, of.ops);
    expect(sessions().sessions.of(cookie)).not.toBeNull();
    expect(sessions({ secret: 'another secret, which is as long as the first' }).sessions.of(cookie)).toBeNull();
  });

  test('ends with its token: removed, replaced under its name, or of another role', () => {
    const cookie = cookieOf(sessions().sessions, of.ops);
    const others = tokens.filter(({ name }) => name !== 'ops');
    const replaced = tokensFor({ ops: 'operate' }).tokens;
    const lowered = tokens.map((token) => ({ ...token, role: 'read' as const }));
    expect(sessions({ tokens: others }).sessions.of(cookie)).toBeNull();
    expect(sessions({ tokens: [...others, ...replaced] }).sessions.of(cookie)).toBeNull();
    expect(sessions({ tokens: lowered }).sessions.of(cookie)).toEqual({ name: 'ops', access: 'read' });
  });

  test('ends with its log-out, and another one of the same token and second goes on', () => {
    const { sessions: it } = sessions();
    const [one, other] = [cookieOf(it, of.ops), cookieOf(it, of.ops)];
    it.logOut(one);
    it.logOut('forged');
    expect(it.of(one)).toBeNull();
    expect(it.of(other)).not.toBeNull();
  });

  test('has a cookie of its own for each installation on a host name, and one for all supervisors behind an address', () => {
    const nameOf = (over: object) =>
      cookieName(readPageAccess({ SCHEDULER_PAGE_HOST: '127.0.0.1', SCHEDULER_PAGE_PORT: 8_005, ...over })!, 'page');
    const [first, second] = ['a', 'b'].map((letter) => ({ SCHEDULER_PAGE_SECRET: letter.repeat(40) }));
    const names = [{}, { SCHEDULER_PAGE_PORT: 8_006 }, first!, second!].map(nameOf);
    expect(new Set(names).size).toBe(4);
    expect(nameOf({ ...first, SCHEDULER_PAGE_PORT: 8_006 })).toBe(names[2]);
    expect(names[0]).toMatch(/^rota_page_[0-9a-f]{8}$/);
    expect(nameOf({ SCHEDULER_PAGE_PUBLIC_URL: 'https://rota.example' })).toMatch(/^__Host-rota_page_[0-9a-f]{8}$/);
  });

  test('cannot be forged: not by another name, a later end, a cut or an empty value, nor by a seal', () => {
    const { sessions: it } = sessions();
    const cookie = cookieOf(it, of.wall);
    const [value = '', signature = ''] = cookie.split(/\.(?=[^.]*$)/);
    const forged = [
      '',
      '.',
      value,
      `${value}.`,
      `.${signature}`,
      cookie.replace('wall', 'ops'),
      cookie.replace(/\/\d+\//, '/9999999999/'),
      cookie.slice(0, -1),
      `${cookie}=`,
      new Signer('guessed').sign(value),
      it.seal({ name: 'ops', access: 'operate' }, 'text'),
    ];
    expect(forged.map((one) => it.of(one))).toEqual(forged.map(() => null));
    expect(it.of(undefined)).toBeNull();
  });

  test('cookies and seals are signed with keys of their own, so that one is never the other', () => {
    const { sessions: it } = sessions();
    const withSecret = new Signer(pageAccess().secret, 'sha256');
    const session = { name: 'wall', access: 'read' } as const;
    for (const signed of [cookieOf(it, of.wall), it.seal(session, 'text')])
      expect(withSecret.sign(signed.slice(0, signed.lastIndexOf('.')))).not.toBe(signed);
  });

  test('no token logs in with nothing, with a digest, or with a text that is too long', () => {
    const { sessions: it } = sessions();
    for (const given of ['', ' ', tokens[0]!.digest.toString('hex'), 'x'.repeat(100_000), `${of.ops}x`])
      expect(it.logIn(given)).toBeNull();
  });

  test('where no token is configured everybody looks, and nobody logs in', () => {
    const { sessions: it } = sessions({ tokens: [] });
    expect(it.of(undefined)).toEqual({ name: 'everybody', access: 'read' });
    expect(it.of('forged')).toEqual({ name: 'everybody', access: 'read' });
    expect(it.logIn('')).toBeNull();
  });
});

describe('the code of `rota dev`', () => {
  const once = 'a code that logs in once';
  const code = { name: 'dev', role: 'operate' as const, digest: createHash('sha256').update(once).digest() };

  test('logs in once, and its session lasts', () => {
    const { sessions: it } = sessions({ tokens: [code], once });
    const begun = it.logIn(once)!;
    expect(it.logIn(once)).toBeNull();
    expect(it.of(begun.cookie)).toEqual({ name: 'dev', access: 'operate' });
  });

  test('and a configured token of the same name are two', () => {
    const configured = tokensFor({ dev: 'read' });
    const { sessions: it } = sessions({ tokens: [...configured.tokens, code], once });
    expect(it.of(it.logIn(configured.of.dev)!.cookie)).toEqual({ name: 'dev', access: 'read' });
    expect(it.of(it.logIn(configured.of.dev)!.cookie)).toEqual({ name: 'dev', access: 'read' });
    expect(it.of(it.logIn(once)!.cookie)).toEqual({ name: 'dev', access: 'operate' });
  });
});

describe('a seal', () => {
  const ops = { name: 'ops', access: 'operate' } as const;

  test('is of its session, its text and a quarter of an hour', () => {
    const { sessions: it, clock } = sessions();
    const seal = it.seal(ops, 'purge org-1');
    expect(it.isSealed(ops, 'purge org-1', seal)).toBe(true);
    expect(it.isSealed({ ...ops, name: 'other' }, 'purge org-1', seal)).toBe(false);
    expect(it.isSealed({ ...ops, access: 'read' }, 'purge org-1', seal)).toBe(false);
    expect(it.isSealed(ops, 'purge org-2', seal)).toBe(false);
    clock.now += 14 * 60_000;
    expect(it.isSealed(ops, 'purge org-1', seal)).toBe(true);
    clock.now += 2 * 60_000;
    expect(it.isSealed(ops, 'purge org-1', seal)).toBe(false);
  });

  test('is used once, while another over the same text is another', () => {
    const { sessions: it } = sessions();
    const [one, other] = [it.seal(ops, 'purge org-1'), it.seal(ops, 'purge org-1')];
    expect(it.useSeal(ops, 'purge org-2', one)).toBe(false);
    expect([1, 2].map(() => it.useSeal(ops, 'purge org-1', one))).toEqual([true, false]);
    expect(it.useSeal(ops, 'purge org-1', other)).toBe(true);
  });
});
