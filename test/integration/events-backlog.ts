import { expect, test } from 'vitest';
import type { Backlog } from '../../src/events/backlog.ts';
import { type Broker, done, failed, mutation, stage, stream, until } from './events-stage.ts';

/** How far behind a source is, as an operator sees it without a supervisor that consumes. */
export function backlogIsTold(start: () => Promise<Broker>): void {
  const on = stage(start);
  const look = async (backlog: Backlog) => {
    const [mutations, rawFiles] = await backlog.look();
    return { mutations: mutations!, rawFiles: rawFiles! };
  };

  test('what waits, what is to be tried again and what was given up is counted, and nothing is made by looking', async () => {
    const { source, status } = await on.run((name) => (name === 'again' ? failed : done), {
      timing: { retryMs: [60_000] },
    });
    await on.broker.publish(stream, mutation('again'));
    await on.broker.publish(stream, 'malformed');
    await until(() => expect(status()).toMatchObject({ retried: 1, deadLettered: 1 }));
    await source.stop(1_000);
    for (const name of ['a', 'b', 'c']) await on.broker.publish(stream, mutation(name));

    const backlog = await on.broker.backlog();
    await until(async () =>
      expect((await look(backlog)).mutations).toEqual({
        source: expect.stringMatching(/^(rabbitmq|jetstream):scan_profile_mutations$/),
        stream,
        waiting: 3,
        retrying: 1,
        dead: 1,
        error: null,
        full: null,
      }),
    );
    const notConsumed = { stream: 'raw_file_received', waiting: null, retrying: 0, dead: 0, error: null };
    expect((await look(backlog)).rawFiles).toMatchObject(notConsumed);
    expect((await look(backlog)).rawFiles).toMatchObject(notConsumed);
    await backlog.close();
  });

  test('of a broker that is down there are no figures, but what is wrong', async () => {
    const backlog = await on.broker.backlog();
    on.broker.down();
    const { mutations } = await look(backlog);
    expect(mutations).toMatchObject({ waiting: null, retrying: null, dead: null });
    expect(mutations.error).toMatch(/^(RabbitMQ|JetStream): ./);
    on.broker.up();
    await until(async () => expect((await look(backlog)).mutations.error).toBeNull());
    await backlog.close();
  });
}
