import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { mostFaults } from '../../src/tasks/limits.ts';
import { errorBytes, inFlightByKind, kindBudgets, requestBudget, requestBytes } from '../../src/nats/budgets.ts';
import { readConfig } from '../../src/config/config.ts';
import { distinctFilters, filterBudget } from '../../src/queue/filter/filter.ts';
import { deepestNesting, lengths, mostValues } from '../../src/tasks/limits.ts';

const page = readFileSync(new URL('../../docs/workers.md', import.meta.url), 'utf8');
const section = page.split('### Budgets\n')[1]!.split('### ')[0]!;
const rows = new Map(
  [...section.matchAll(/^\| (.+?) +\| (.+?) +\| (.*?) *\|$/gm)].map(([, what, most, variable]) => [
    what!,
    [most!, variable!],
  ]),
);

test('the page of workers has every budget as it is', () => {
  const config = readConfig({});
  const megabytes = (bytes: number) => `${bytes / 1_048_576} MB`;
  const found = (what: RegExp) => [...rows].find(([name]) => what.test(name))?.[1] ?? [];
  expect(found(/^tasks, patches/)).toEqual([`${requestBudget.set}`, '']);
  const { conditions, values, depth, nameLength, patternLength, textLength } = filterBudget;
  expect(found(/^conditions/)[0]).toBe(`${conditions}, ${values}`);
  expect(nameLength).toBe(patternLength);
  expect(found(/^depth of a filter/)[0]).toBe(`${depth}; ${nameLength}; ${textLength}`);
  expect(found(/^an organisation/)[0]).toBe(`${lengths.organisation}; ${lengths.ooi}; ${lengths.name} bytes`);
  expect(found(/^`worker`/)).toEqual([`${requestBudget.worker} characters`, '']);
  expect(found(/^`wait_ms`/)[0]).toMatch(new RegExp(`^${requestBudget.waitMs};`));
  expect(found(/^`lease_ms`/)).toEqual([`${requestBudget.leaseMs}`, '']);
  expect(found(/^an error/)[0]).toBe(`${mostFaults} faults of 200 characters each, ${errorBytes} bytes in all`);
  expect(found(/^values of a request/)[0]).toBe(`${mostValues}, ${deepestNesting}`);
  const kilobytes = (bytes: number) => `${bytes / 1_024} kB`;
  const { pop, ctl, 'task-get': get, 'task-heartbeat': heartbeat, 'task-patch': patch } = requestBytes.body;
  expect([heartbeat, patch]).toEqual([ctl, ctl]);
  expect(found(/^bytes of a request/)[0]).toBe(`${[pop, ctl, get].map(kilobytes).join('; ')}; \`max_payload\``);
  expect(found(/^its headers/)[0]).toBe(kilobytes(requestBytes.headers));
  expect(found(/pops in flight/)).toEqual([`${config.NATS_CLIENT_POPS}`, '`NATS_CLIENT_POPS`']);
  expect(found(/distinct filters/)[0]).toBe(
    `${config.NATS_CLIENT_FILTERS}; a quarter of what is left of ${distinctFilters}`,
  );
  expect(found(/other requests/)[0]).toBe(
    `${config.NATS_CLIENT_REQUESTS} heartbeats, ${config.NATS_CLIENT_REQUESTS} others`,
  );
  expect(found(/^tasks that a client/)).toEqual([`${config.SCHEDULER_CLIENT_LEASES}`, '`SCHEDULER_CLIENT_LEASES`']);
  expect(found(/commands in flight/)).toEqual([`${kindBudgets.ctl.most / 2}`, '']);
  const { mostBytes } = kindBudgets.other;
  expect(found(/^bytes of a client/)[0]).toBe(
    `${megabytes(mostBytes / 2)} of each kind; ${megabytes(mostBytes)} of all clients; commands ${megabytes(kindBudgets.ctl.mostBytes / 2)}; ${megabytes(kindBudgets.ctl.mostBytes)}`,
  );
});

test('operator commands have a bound of their own, that no variable moves', () => {
  const ctl = inFlightByKind({ pops: 1, filters: 1, requests: 1 })('ctl-one');
  for (let at = 0; at < 500; at += 1) ctl.enter('operator', 10);
  expect(() => ctl.enter('operator', 10)).toThrow(
    /^this client has 500 commands of 5000 bytes in flight already: try again$/,
  );
});
