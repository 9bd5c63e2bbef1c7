import { setTimeout as delay } from 'node:timers/promises';
import type { Answer } from '../answers.ts';
import type { Fault } from '../fault.ts';
import { askNats } from '../wire.ts';

const flood = 60_000;
const perTick = 120;
const tickMs = 30;

/** Faults that meet what is under way: a flood into a database that hangs, and answers that get lost. */
export const loadFaults: readonly Fault[] = [
  {
    name: 'flood',
    about: `${flood.toLocaleString('en')} pushes come while Postgres is silent`,
    seconds: 100,
    boundsMemory: true,
    async run({ scene, load, over, watch, broke }) {
      for (const { postgres } of scene.links) postgres.hang('silent');
      const { nats, answers, ledger, pushes } = load;
      const asked: Promise<Answer>[] = [];
      const push = async () => {
        const body = pushes.boefjeTask();
        const answer = await askNats(nats, answers, { kind: 'push', scheduler: 'boefje', body });
        if (answer.outcome === 'ok') ledger.accept(body.id);
        if (codeOf(answer) === 'MAILBOX_FULL') ledger.refuse(body.id);
        return answer;
      };
      while (asked.length < flood) {
        for (let number = 0; number < perTick; number += 1) asked.push(push());
        await delay(tickMs);
      }
      await Promise.all(asked.slice(0, -1));
      for (const { postgres } of scene.links) postgres.mend();
      over();
      const outcomes = Map.groupBy(await Promise.all(asked), ({ outcome }) => outcome);
      const refused = outcomes.get('refused')?.length ?? 0;
      if (refused === 0) broke('memory is bounded', `not one of ${flood} pushes was refused`);
      await watch();
    },
  },
  {
    name: 'replies-lost',
    about: 'answers get lost after the commit; the requests are repeated',
    seconds: 45,
    unanswered: ['nats'],
    load: { workMs: () => 300 },
    async run({ scene }) {
      for (let times = 0; times < 3; times += 1) {
        for (const { nats } of scene.links) nats.drop('to-server');
        await delay(2_000);
        for (const { nats } of scene.links) nats.mend();
        await delay(2_000);
      }
    },
  },
];

/** `MAILBOX_FULL` is a refusal for want of room, and a promise that it is not done; other 503s leave it open. */
function codeOf({ body }: Answer): string | undefined {
  return (body as { error?: { code?: string } } | null)?.error?.code;
}
