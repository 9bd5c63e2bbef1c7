import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TaskData } from '../../src/tasks/task.ts';
import { type House, openHouse } from '../support/rota.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse();
  await house.start();
});
afterAll(() => house.stop());

const boefje = (organization: string): TaskData => ({
  boefje: { id: 'dns-records', oci_image: 'img' },
  input_ooi: `Hostname|internet|${randomUUID()}`,
  organization,
});
const normalizer = (organization: string): TaskData => ({
  normalizer: { id: 'kat_dns_normalize' },
  raw_data: {
    id: randomUUID(),
    boefje_meta: { id: randomUUID(), ...boefje(organization) },
    mime_types: [{ value: 'boefje/dns-records' }],
  },
});

test.each([
  ['boefje', boefje],
  ['normalizer', normalizer],
] as const)('without a choice of ranker %s tasks of organisations take turns', async (scheduler, dataOf) => {
  const push = (organisation: string, count: number, priority?: number) =>
    house.client.push(
      scheduler,
      Array.from({ length: count }, () => ({
        organisation,
        data: dataOf(organisation),
        ...(priority === undefined ? {} : { priority }),
      })),
    );
  const pop = async (limit: number) =>
    (await house.client.pop(scheduler, { limit })).map(({ organisation }) => organisation);
  await push('big', 200);
  await pop(20);
  await push('small', 2);
  expect((await pop(5)).filter((name) => name === 'small')).toHaveLength(2);
  await push('big', 50, 1);
  await push('small', 1, 1);
  expect((await pop(3)).slice(0, 2).toSorted()).toEqual(['big', 'small']);
});
