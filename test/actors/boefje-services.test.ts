import { expect, test } from 'vitest';
import { pluginsOf } from '../../actors/boefje/services.ts';
import { kat, katalogusWith } from '../kat/kat-double.ts';

/** With Katalogus' real client, which asks for the list of organisations where it is given none. */
test('a thousand unknown organisations cost two requests for the organisations, and none for their plug-ins', async () => {
  const answer = katalogusWith(
    () => ['aa'],
    () => [],
  );
  const { services, received } = await kat(answer);
  const madeUp = Array.from({ length: 1_000 }, (_none, n) => `made-up-${n}`);
  const answers = await pluginsOf({ kat: services }, ['aa', ...madeUp]);
  expect(madeUp.map((one) => answers.get(one))).toEqual(madeUp.map(() => ({ ok: true, value: null })));
  expect(answers.get('aa')).toMatchObject({ ok: true, value: new Map() });
  // The second one: an organisation that the kept list does not have may have been created a moment ago.
  expect(received.map(({ path }) => path)).toEqual([
    '/v1/organisations',
    '/v1/organisations',
    '/v1/organisations/aa/plugins',
  ]);
});
