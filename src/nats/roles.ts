/**
 * Which NATS users may use which subjects: `rota nats-permissions`, docs/nats-permissions.conf and docs/security.md are made from
 * this table. NATS enforces it; the lease decides what a worker may do to a task (settle.ts).
 */
export interface NatsUser {
  /** Also its inbox: `_INBOX_<name>`. */
  readonly name: string;
  readonly role: NatsRole;
  /** What the role is for. */
  readonly purpose: string;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

type NatsRole = 'worker' | 'operator' | 'supervisor' | 'publisher';

export interface WorkerUser {
  readonly name: string;
  /** Null for all. */
  readonly schedulers: readonly string[] | null;
}

export interface RolesOptions {
  readonly prefix: string;
  readonly workers: readonly WorkerUser[];
  /** A user for KAT's services, where they send their events to JetStream. */
  readonly withPublisher: boolean;
  /** What each may publish to JetStream: src/events/jetstream-streams.ts. */
  readonly jetstream: { readonly supervisor: readonly string[]; readonly publisher: readonly string[] };
}

/** The verbs of a NATS micro service, to all services, to those of our name, and to one of them. */
const discovery = (prefix: string) =>
  ['PING', 'INFO', 'STATS'].flatMap((verb) => ['', `.${prefix}`, `.${prefix}.*`].map((to) => `$SRV.${verb}${to}`));

/**
 * With the common `_INBOX.>` one worker could read another's tasks and leases: so each has an inbox of its own, and connects with
 * it (NATS_INBOX_PREFIX).
 */
const inboxOf = (name: string) => `_INBOX_${name}.>`;

export function natsUsers({ prefix, workers, withPublisher, jetstream }: RolesOptions): readonly NatsUser[] {
  const subject = (rest: string) => `${prefix}.${rest}`;
  const ofTasks = ['task.get', 'task.patch', 'task.heartbeat'].map(subject);
  const requesters: NatsUser[] = [
    ...workers.map(({ name, schedulers }): NatsUser => ({
      name,
      role: 'worker',
      purpose: `Takes tasks${schedulers === null ? '' : ` of ${schedulers.join(', ')}`}, and reports on those whose lease it holds. Cannot make tasks, and cannot operate.`,
      publish: [...(schedulers ?? ['*']).map((id) => subject(`pop.${id}`)), ...ofTasks],
      // A task that it holds and has not begun may be revoked.
      subscribe: [inboxOf(name), ...(schedulers ?? ['*']).map((id) => subject(`event.${id}.revoked`))],
    })),
    {
      name: 'operator',
      role: 'operator',
      purpose: 'A person or the command line: everything that Rota answers, any task, and the task events.',
      publish: [
        ...['pop.*', 'push.*'].map(subject),
        ...ofTasks,
        ...['ctl.*', 'ctl.*.*'].map(subject),
        ...discovery(prefix),
      ],
      subscribe: [inboxOf('operator'), ...['event.*.*', 'left.*'].map(subject)],
    },
  ];
  const supervisor: NatsUser = {
    name: 'supervisor',
    role: 'supervisor',
    purpose:
      'Rota itself: answers requests, wakes its like, tells what happens to tasks, consumes KAT’s events from JetStream.',
    publish: [
      // To these inboxes and nowhere else: NATS itself refuses an answer to any other reply subject.
      ...requesters.map(({ name }) => inboxOf(name)),
      ...['wake.*', 'event.*.*', 'left.*'].map(subject),
      ...jetstream.supervisor,
    ],
    subscribe: [
      inboxOf('supervisor'),
      ...['pop.*', 'push.*'].map(subject),
      ...ofTasks,
      ...['ctl.*', 'ctl.*.*', 'wake.*', 'left.*'].map(subject),
      ...discovery(prefix),
    ],
  };
  const publisher: NatsUser = {
    name: 'publisher',
    role: 'publisher',
    purpose: 'KAT’s services, which send their events to JetStream. A supervisor makes the streams.',
    publish: jetstream.publisher,
    subscribe: [inboxOf('publisher')],
  };
  return [...requesters, ...(withPublisher ? [publisher] : []), supervisor];
}
