import { eventStreams } from './dead-letters.ts';
import { subjectsOf } from './subjects.ts';

/** What a user of NATS must be allowed to publish: supervisors, which consume KAT's events, and KAT's services, which send them. */
export interface JetstreamPermissions {
  readonly supervisor: readonly string[];
  readonly publisher: readonly string[];
}

/** Every call of JetStream that src/events makes, and the subjects that it stores events on. */
export function jetstreamPermissions(prefix: string): JetstreamPermissions {
  const names = subjectsOf(prefix);
  const { stream, deadStream } = names;
  const received = eventStreams.map(names.main);
  return {
    publisher: received,
    supervisor: [
      ...received,
      ...[names.alone, names.retry, names.dead].flatMap((subject) => eventStreams.map(subject)),
      '$JS.API.INFO',
      ...[stream, deadStream].flatMap((name) =>
        ['INFO', 'CREATE', 'UPDATE'].map((call) => `$JS.API.STREAM.${call}.${name}`),
      ),
      `$JS.API.STREAM.MSG.GET.${deadStream}`,
      `$JS.API.STREAM.MSG.DELETE.${deadStream}`,
      `$JS.API.CONSUMER.INFO.${stream}.*`,
      `$JS.API.CONSUMER.CREATE.${stream}.*.>`,
      // What the library calls of a server before 2.9.
      `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.*`,
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
      `$JS.ACK.${stream}.>`,
    ],
  };
}
