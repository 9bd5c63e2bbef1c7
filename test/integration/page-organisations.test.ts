import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { newToken } from '../../src/api-tokens.ts';
import { startRotaAtHand, type RotaAtHand } from '../support/cli.ts';
import { boefjeTask } from '../support/wire.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const [operator, reader] = [newToken('ops-1', 'operate'), newToken('wall', 'read')] as const;
let hand: RotaAtHand;
beforeAll(async () => {
  hand = await startRotaAtHand({
    SCHEDULER_API_TOKENS: [operator.line, reader.line].join(','),
    SCHEDULER_PAGE_PORT: '0',
  });
  for (let n = 0; n < 30; n += 1) await hand.client.push('boefje', boefjeTask('org-1', `Hostname|internet|a${n}`));
  for (let n = 0; n < 5; n += 1) await hand.client.push('boefje', boefjeTask('org-2', `Hostname|internet|a${n}`));
});
afterAll(() => hand.stop());

test('hand', async () => {
  await new Promise((r) => setTimeout(r, 1500));
  console.log(JSON.stringify(await hand.client.ctl('organisations', {}), null, 1));
  console.log(JSON.stringify(await hand.client.ctl('organisation', { organisation: 'org-1' }), null, 1));
  console.log(
    JSON.stringify(
      await hand.client.ctl('preview-pause', { scheduler: 'boefje', organisation: 'org-1', boefje: 'dns' }),
      null,
      1,
    ),
  );
  console.log(JSON.stringify(await hand.client.ctl('preview-pause', { scheduler: 'boefje' }), null, 1));
  console.log(hand.rota.page);
});
