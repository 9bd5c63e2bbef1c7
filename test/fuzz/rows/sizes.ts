import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from 'rabbitmq-client';
import { boefjeRun, rawFileReceived } from '../../../src/simulator/events.ts';
import { connectNats } from '../../../src/nats/connect.ts';
import { query } from '../stage.ts';
import { type Actor, unlessAnswered } from './actor.ts';
import type { Row } from './row.ts';

/** What an answer over REST may be: 8 MB, and the page around it. */
const largestPage = 8 * 1_024 * 1_024 + 100_000;
const large = 1_900_000;

const report = (organisation: string) => ({
  organisation,
  data: { organisation_id: organisation, report_recipe_id: randomUUID() },
});

/** A normalizer's task, in which a boefje's arguments may be of any size. */
function largeTask(organisation: string) {
  const run = { boefje: 'nmap', inputOoi: `Hostname|internet|${randomUUID()}.nl`, organisation, tookMs: 10 };
  const boefje = boefjeRun(run);
  const { raw_data } = rawFileReceived(
    randomUUID(),
    { ...boefje, arguments: { ...boefje.arguments, pad: 'x'.repeat(large) } },
    ['boefje/nmap'],
  );
  // REST needs a priority, as mula does.
  return { organisation, priority: 1, data: { normalizer: { id: 'kat_nmap' }, raw_data } };
}

/** `count` finished tasks of 1.9 MB: one is pushed, and copied in the database. */
async function largeTasks(actor: Actor, organisation: string, count: number): Promise<void> {
  const pushed = await actor.rest('POST', '/schedulers/normalizer/push', largeTask(organisation));
  if (pushed.status !== 201) throw new Error(`a push of 1.9 MB: ${pushed.status} ${pushed.text.slice(0, 200)}`);
  const { id } = JSON.parse(pushed.text) as { id: string };
  await query(
    actor.target.databaseUrl,
    `INSERT INTO tasks SELECT (json_populate_record(t, json_build_object('id', gen_random_uuid(), 'status', 'COMPLETED'))).*
       FROM tasks t, generate_series(1, $2::int) WHERE t.id = $1`,
    [id, count],
  );
}

/** Answers, tasks and events that are large. */
export const sizeRows: readonly Row[] = [
  {
    name: 'large-page',
    heavy: true,
    about: 'pages of 290 tasks of 1.9 MB, five at once',
    once: true,
    spoils: true,
    async play(actor) {
      const organisation = `large-${randomUUID()}`;
      await largeTasks(actor, organisation, 290);
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => actor.rest('GET', `/tasks?organisation=${organisation}&limit=290`)),
      );
      return answers.map((answer) => {
        // Busy is an answer too: five at once are more than a client needs.
        const fault = answer.status === 503 ? answer.fault : unlessAnswered(answer);
        return fault ?? (answer.bytes > largestPage ? `a page of ${Math.round(answer.bytes / 1e6)} MB` : undefined);
      });
    },
  },
  {
    name: 'large-pop',
    heavy: true,
    about: 'pops over NATS of queued tasks of 1.9 MB, which no message can carry',
    once: true,
    spoils: true,
    async play(actor) {
      const organisation = `large-${randomUUID()}`;
      const faults: (string | undefined)[] = [];
      for (let pushed = 0; pushed < 20; pushed += 1) {
        faults.push(unlessAnswered(await actor.rest('POST', '/schedulers/normalizer/push', largeTask(organisation))));
      }
      for (let pop = 0; pop < 10; pop += 1)
        faults.push(unlessAnswered(await actor.ask('pop.normalizer', { limit: 20 })));
      const listed = await actor.rest('GET', `/tasks?organisation=${organisation}&status=queued&limit=1`);
      const { count } = JSON.parse(listed.text || '{"count":-1}') as { count: number };
      return [...faults, count === 0 ? undefined : `${count} tasks that fit into no message are still queued`];
    },
  },
  {
    name: 'large-organisation',
    about: 'events whose organisation has 1 MB, over AMQP; what operators ask afterwards',
    once: true,
    async play(actor) {
      const connection = new Connection(actor.target.amqpUrl);
      const publisher = connection.createPublisher({ confirm: true });
      const value = { object_type: 'Hostname', scan_profile: { level: 2 } };
      for (const long of ['o'.repeat(1_000_000), '\u001B[2J'.repeat(200_000)]) {
        const event = {
          operation: 'create',
          primary_key: `Hostname|internet|${long.slice(0, 9)}`,
          client_id: long,
          value,
        };
        await publisher.send(
          { routingKey: 'scan_profile_mutations', durable: true },
          Buffer.from(JSON.stringify(event)),
        );
        const ooi = { ...event, client_id: actor.target.organisation, primary_key: `Hostname|internet|${long}` };
        await publisher.send({ routingKey: 'scan_profile_mutations', durable: true }, Buffer.from(JSON.stringify(ooi)));
      }
      await publisher.close();
      for (let waiting = 1, tries = 0; waiting > 0 && tries < 40; tries += 1) {
        await delay(500);
        ({ messageCount: waiting } = await connection.queueDeclare({ queue: 'scan_profile_mutations', passive: true }));
      }
      // The actor has them by now.
      await delay(3_000);
      await connection.close();
      const faults: (string | undefined)[] = [];
      for (const command of ['status', 'dead-letters', 'doctor']) {
        faults.push(unlessAnswered(await actor.ask(`ctl.${command}`, {})));
      }
      return faults;
    },
  },
  {
    name: 'abandoned-polls',
    about: '11 000 long polls with leases of a day, whose client leaves; then 50 tasks',
    once: true,
    spoils: true,
    async play(actor) {
      const { client } = actor;
      const { natsUrl, prefix } = actor.target;
      const gone = await connectNats({ servers: natsUrl, name: 'fuzz-gone' });
      const body = JSON.stringify({ wait_ms: 600_000, lease_ms: 86_400_000, worker: 'gone' });
      for (let at = 0; at < 11_000; at += 1) gone.publish(`${prefix}.pop.report`, body, { reply: `_INBOX.gone.${at}` });
      await gone.flush();
      await delay(2_000);
      const first = await actor.ask('pop.report', { wait_ms: 500 }, 500);
      await gone.close();
      const organisation = `abandoned-${randomUUID()}`;
      const pushed = await client.push(
        'report',
        Array.from({ length: 50 }, () => report(organisation)),
      );
      const wanted = new Set(pushed.flatMap((result) => ('id' in result ? [result.id] : [])));
      // A task that reached no worker has a lease of a minute, and the sweeper looks every few seconds.
      const deadline = performance.now() + 100_000;
      while (wanted.size > 0 && performance.now() < deadline) {
        const tasks = await client.pop('report', { limit: 50, wait_ms: 1_000 }).catch(() => []);
        for (const { id } of tasks) wanted.delete(id);
        if (tasks.length > 0) {
          await client
            .patch(tasks.map(({ id, lease_id }) => ({ id, lease_id, status: 'completed' as const })))
            .catch(() => []);
        }
      }
      return [
        unlessAnswered(first),
        wanted.size > 0 ? `${wanted.size} of 50 tasks stayed leased without a worker for more than 100 s` : undefined,
      ];
    },
  },
];
