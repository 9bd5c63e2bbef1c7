import * as fc from 'fast-check';
import { createInbox } from 'nats';
import { expect, test } from 'vitest';
import { clientOfReply, isInbox } from '../../src/nats/inbox.ts';

const prefixes = ['_INBOX'];
const token = fc.stringMatching(/^[A-Za-z0-9_$-]{1,12}$/);

test('inboxes as NATS clients make them are answered, those of a user with a prefix of its own too', () => {
  for (const inbox of [createInbox(), createInbox('_INBOX_worker'), '_INBOX.a.1', '_INBOX_operator.x.7'])
    expect(isInbox(inbox, prefixes), inbox).toBe(true);
});

test.each([
  '',
  '_INBOX',
  '_INBOX.',
  '_INBOX_',
  '_INBOX_.x',
  '_INBOX_w',
  '_INBOX_w.',
  '_INBOXES.x',
  'a._INBOX.x',
  '_inbox.x',
  '_INBOX.>',
  '_INBOX.*.x',
  '_INBOX_w.>',
  '_R_.x',
  '$JS.ACK.x',
])('no answer goes to %j', (reply) => expect(isInbox(reply, prefixes)).toBe(false));

test('whatever begins otherwise is no inbox, whatever it contains', () => {
  fc.assert(
    fc.property(fc.array(token, { minLength: 1, maxLength: 6 }), (tokens) => {
      fc.pre(!/^_INBOX(?:_.|$)/.test(tokens[0]!));
      expect(isInbox(tokens.join('.'), prefixes)).toBe(false);
    }),
  );
});

test('other prefixes can be configured, of several tokens too', () => {
  const told = ['workers.inbox', '_R_'];
  expect(['workers.inbox.x', '_R_.a.b'].map((reply) => isInbox(reply, told))).toEqual([true, true]);
  expect(['_INBOX.x', 'workers.x', 'workers.inbox'].map((reply) => isInbox(reply, told))).toEqual([
    false,
    false,
    false,
  ]);
});

test('where users are named, only they are answered, and each is one client', () => {
  const users = ['_INBOX_scan1', '_INBOX_operator'];
  const invented = ['_INBOX_scan1_a.x', '_INBOX_a1.x', '_INBOX.a1.x', '_INBOX_scan.x', '_INBOX_scan1x.y', '_INBOX_.x'];
  for (const reply of invented) expect(isInbox(reply, users), reply).toBe(false);
  expect(isInbox('_INBOX_scan1.abc.1', users)).toBe(true);
  expect(['_INBOX_scan1.abc.1', '_INBOX_scan1.def'].map((reply) => clientOfReply(reply, users))).toEqual([
    '_INBOX_scan1',
    '_INBOX_scan1',
  ]);
});

test('a client is a user with its own prefix, or a connection', () => {
  expect(clientOfReply('_INBOX_worker.abc.1', prefixes)).toBe('_INBOX_worker');
  expect(clientOfReply('_INBOX_worker.def.2', prefixes)).toBe('_INBOX_worker');
  expect(clientOfReply('_INBOX.abc.1', prefixes)).toBe('_INBOX.abc');
  expect(clientOfReply('_INBOX.abc', prefixes)).toBe('_INBOX.abc');
  expect(clientOfReply('workers.inbox.abc.1', ['workers.inbox'])).toBe('workers.inbox.abc');
  expect(clientOfReply('', prefixes)).toBe('');
});
