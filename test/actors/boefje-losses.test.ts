import { describe, expect, test } from 'vitest';
import boefjeScheduler from '../../actors/boefje/behavior.ts';
import type { Plugin } from '../../src/kat/kat.ts';
import { deliver, outcomeOf } from '../support/deliveries.ts';
import { boefje, hostname, outageOf, rejectionOf } from '../support/kat-ports.ts';
import { Ports } from '../support/ports.ts';

const host = hostname('a.example');

function ports(...plugins: readonly Plugin[]): Ports {
  const it = new Ports('boefje');
  it.organisations = { aa: { plugins, objects: [host] } };
  return it;
}

function actor(it: Ports) {
  const look = boefjeScheduler.start(it.setup)['look-for-new-boefjes'];
  return { look: () => deliver(look, { kind: 'look-for-new-boefjes' as const }) };
}

const names = (it: Ports) => it.asked.map(({ name }) => name);
const revoked = (it: Ports) => it.requests('revoke-tasks').flatMap(({ revocations }) => revocations);

describe('a look', () => {
  const left = { organisation: 'aa', enabled: ['dns'], disabled: ['off'] };

  test.each([
    ['found a boefje disabled or gone', [{ organisation: 'aa', boefjes: ['dns', 'off'], recurrences: {} }]],
    ['is the first one in an organisation', []],
  ])('that %s revokes all but what is enabled, before it saves what it saw', async (_what, seen) => {
    const it = ports(boefje('dns'), boefje('off', { enabled: false }), boefje('bit', { type: 'bit' }));
    it.seen = seen;
    it.moreRevocations = 2;
    await actor(it).look();
    expect(revoked(it)).toEqual([left, left, left]);
    expect(it.seen).toEqual([{ organisation: 'aa', boefjes: ['dns'], recurrences: {} }]);
    expect(names(it).lastIndexOf('revoke-tasks')).toBeLessThan(names(it).indexOf('save-seen-boefjes'));
  });

  test('that finds all that was enabled enabled revokes nothing', async () => {
    const it = ports(boefje('dns'), boefje('new'), boefje('off', { enabled: false }));
    it.seen = [{ organisation: 'aa', boefjes: ['dns'], recurrences: {} }];
    await actor(it).look();
    expect([it.times('revoke-tasks'), it.times('save-seen-boefjes')]).toEqual([0, 1]);
  });

  test('that another supervisor came before revokes too: what this one pushed meanwhile is queued', async () => {
    const it = ports(boefje('dns'), boefje('off'));
    const { look } = actor(it);
    await look();
    it.organisations['aa'] = { plugins: [boefje('dns'), boefje('off', { enabled: false })], objects: [host] };
    it.seen = [{ organisation: 'aa', boefjes: ['dns'], recurrences: {} }];
    await look();
    await look();
    expect(revoked(it).slice(1)).toEqual([left]);
  });

  test('whose revocation is not committed saves nothing: the next look finds the loss again', async () => {
    const it = ports(boefje('dns'));
    it.seen = [{ organisation: 'aa', boefjes: ['dns', 'off'], recurrences: {} }];
    it.outage = (name) => {
      if (name === 'revoke-tasks') throw outageOf('database');
    };
    const { look } = actor(it);
    expect((await look()).map(outcomeOf)).toEqual(['SERVICE_UNAVAILABLE']);
    expect(it.seen).toEqual([{ organisation: 'aa', boefjes: ['dns', 'off'], recurrences: {} }]);
    it.outage = () => {};
    await look();
    expect(it.times('revoke-tasks')).toBe(2);
  });

  test.each([outageOf('katalogus'), rejectionOf('katalogus')])(
    'that Katalogus does not answer ($failure.code) revokes nothing',
    async (failure) => {
      const it = ports(boefje('dns'));
      it.seen = [{ organisation: 'aa', boefjes: ['dns', 'off'], recurrences: {} }];
      it.outage = (name) => {
        if (name === 'plugins') throw failure;
      };
      await actor(it).look();
      expect(it.times('revoke-tasks')).toBe(0);
    },
  );

  test('at a list without any plug-in, or at an organisation that is gone, revokes nothing', async () => {
    const it = ports();
    it.organisations['bb'] = { plugins: [boefje('dns')] };
    it.seen = ['aa', 'bb', 'gone'].map((organisation) => ({ organisation, boefjes: ['dns'], recurrences: {} }));
    await actor(it).look();
    expect(it.times('revoke-tasks')).toBe(0);
  });

  test('takes a boefje that Katalogus gives not as agreed neither for disabled nor for gone', async () => {
    const it = ports(boefje('dns'));
    it.seen = [{ organisation: 'aa', boefjes: ['dns', 'nmap'], recurrences: {} }];
    it.unreadable = ['nmap'];
    await actor(it).look();
    expect(revoked(it)).toEqual([]);
  });
});
