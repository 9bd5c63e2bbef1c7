import { randomUUID } from 'node:crypto';
import { connect } from 'nats';
import { Connection } from 'rabbitmq-client';
import { scanProfileMutation } from '../../../src/simulator/events.ts';
import { addOrganisation, boefje, hostname } from '../../support/kat-world.ts';
import type { Scene } from '../scene.ts';

const stream = 'scan_profile_mutations';
/** Rota keeps what Katalogus says: only an organisation that it has not seen makes it ask. */
const perOrganisation = 10;

/** An event that the broker has confirmed. */
export interface Published {
  readonly organisation: string;
  readonly ooi: string;
  readonly at: number;
}

interface Broker {
  publish(body: object): Promise<void>;
  /** Events that were given up so far. */
  dead(): Promise<number>;
  close(): Promise<void>;
}

/** Octopoes at work: mutations of new objects at a steady rate, each of which must become one task. */
export class Events {
  readonly published: Published[] = [];
  readonly #scene: Scene;
  readonly #broker: Broker;
  readonly #timer: NodeJS.Timeout;
  #organisation = '';
  #made = 0;

  private constructor(scene: Scene, broker: Broker, perSecond: number) {
    this.#scene = scene;
    this.#broker = broker;
    this.#timer = setInterval(() => void this.#mutate(), 1_000 / perSecond);
  }

  static async start(scene: Scene, perSecond: number): Promise<Events> {
    const broker = scene.options.events === 'amqp' ? rabbitmq(scene) : await jetstream(scene);
    return new Events(scene, broker, perSecond);
  }

  pause(): void {
    clearInterval(this.#timer);
  }

  async stop(): Promise<void> {
    this.pause();
    await this.#broker.close();
  }

  dead(): Promise<number> {
    return this.#broker.dead();
  }

  async #mutate(): Promise<void> {
    if (this.#made % perOrganisation === 0) {
      this.#organisation = addOrganisation(this.#scene.kat.world, { plugins: [boefje('dns')] }).id;
    }
    this.#made += 1;
    const organisation = this.#organisation;
    const object = hostname(`${randomUUID()}.nl`);
    this.#scene.kat.world.organisations.get(organisation)!.objects.set(object.reference, object);
    try {
      await this.#broker.publish(scanProfileMutation(organisation, 'create', object));
      this.published.push({ organisation, ooi: object.reference, at: Date.now() });
    } catch {
      // Not confirmed: the broker promised nothing.
    }
  }
}

/** Past every proxy, as KAT's producers are. */
function rabbitmq(scene: Scene): Broker {
  const options = { url: `amqp://guest:guest@127.0.0.1:${scene.rabbitmq.port}`, retryLow: 200, retryHigh: 500 };
  const connection = new Connection(options);
  connection.on('error', () => {});
  const publisher = connection.createPublisher({ confirm: true, queues: [{ queue: stream, durable: true }] });
  return {
    publish: (body) => publisher.send({ routingKey: stream, durable: true }, Buffer.from(JSON.stringify(body))),
    dead: async () => {
      const declared = await connection.queueDeclare({ queue: `${stream}.dead`, passive: true }).catch(() => null);
      return declared?.messageCount ?? 0;
    },
    close: async () => {
      await Promise.race([
        publisher.close().then(() => connection.close()),
        new Promise((end) => setTimeout(end, 5_000)),
      ]);
      connection.unsafeDestroy();
    },
  };
}

/** Into the stream that Rota has made. */
async function jetstream(scene: Scene): Promise<Broker> {
  const servers = scene.nats.map(({ port }) => `nats://127.0.0.1:${port}`);
  const nats = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 200 });
  const client = nats.jetstream();
  return {
    publish: async (body) => {
      await client.publish(`rota.kat.${stream}`, JSON.stringify(body), { timeout: 2_000 });
    },
    dead: async () => {
      const manager = await nats.jetstreamManager();
      const stream = await manager.streams.info('ROTA_KAT_DEAD').catch(() => null);
      return stream?.state.messages ?? 0;
    },
    close: () => nats.close(),
  };
}
