import type { Msg, NatsConnection, SubscriptionOptions } from 'nats';

/**
 * The reply subject of a request is a publish with the supervisor's permissions: `$JS.API.STREAM.PURGE.…` would purge a
 * stream, `rota.event.…` forge an event. So only inboxes are answered.
 */

/** The prefix of NATS clients that choose none. It alone stands for `_INBOX_<name>` too, the inbox of a NATS user of its own. */
const commonPrefix = '_INBOX';

/**
 * Whether answers may go there: below one of the prefixes as it is written, and with `_INBOX` below any `_INBOX_<name>`. Subjects
 * with wildcards are none that a client subscribes to for itself.
 */
export function isInbox(reply: string, prefixes: readonly string[]): boolean {
  if (reply.includes('*') || reply.includes('>')) return false;
  return prefixes.some((prefix) => {
    const end = prefix === commonPrefix && isNamed(reply) ? reply.indexOf('.') : prefix.length;
    return reply[end] === '.' && reply.length > end + 1 && (end > prefix.length || reply.startsWith(prefix));
  });
}

/** Whether it begins with `_INBOX_<name>`, the inbox of one NATS user. */
function isNamed(reply: string): boolean {
  return reply.startsWith(`${commonPrefix}_`) && reply.indexOf('.') !== commonPrefix.length + 1;
}

/**
 * Who asked, by its inbox: `_INBOX_<name>` is what a NATS user with an inbox prefix of its own may subscribe to, whichever of
 * its connections it is; of any other prefix each connection has one token below it. '' where no answer is wanted.
 *
 * NATS does not check the reply subject of a request, so a name may be invented, or be another's. NATS_REPLY_PREFIXES with the
 * users' own inboxes, and not `_INBOX`, ends the former.
 */
export function clientOf(reply: string, prefixes: readonly string[]): string {
  const shared = isNamed(reply) ? undefined : prefixes.find((prefix) => reply.startsWith(`${prefix}.`));
  const end = reply.indexOf('.', shared === undefined ? 0 : shared.length + 1);
  return end === -1 ? reply : reply.slice(0, end);
}

/**
 * The connection, but that what is subscribed over it never sees a request whose answer would go elsewhere: the micro-service
 * library answers `$SRV.PING`, `INFO` and `STATS` by itself, to any reply subject.
 *
 * @param dropped gets each of them; a message that wants no answer passes.
 */
export function answeringInboxesOnly(
  connection: NatsConnection,
  prefixes: readonly string[],
  dropped: (message: Msg) => void,
): NatsConnection {
  const subscribe = (subject: string, options: SubscriptionOptions = {}) =>
    connection.subscribe(subject, {
      ...options,
      callback: (error, message) => {
        if (error !== null) options.callback?.(error, message);
        else if (!message.reply || isInbox(message.reply, prefixes)) options.callback?.(null, message);
        else dropped(message);
      },
    });
  // `_services` is the library's own: one that was made of the connection before would subscribe past this.
  return Object.create(connection, {
    subscribe: { value: subscribe },
    _services: { value: undefined, writable: true },
  });
}
