import type { Msg, NatsConnection, SubscriptionOptions } from 'nats';

/**
 * The reply subject of a request is a publish with the supervisor's permissions: `$JS.API.STREAM.PURGE.…` would purge a
 * stream, `rota.event.…` forge an event. So only inboxes are answered.
 */

/** The prefix of NATS clients that choose none. It alone stands for `_INBOX_<name>` too, the inbox of a NATS user of its own. */
const commonPrefix = '_INBOX';

/**
 * Whether answers may go there: below one of the prefixes as it is written, and with `_INBOX` below any `_INBOX_<name>`. No
 * client's own inbox has wildcards.
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
 * The client of a request, by its inbox: `_INBOX_<name>` for all connections of a NATS user with its own inbox prefix; below any
 * other prefix each connection has one token. '' where no answer is wanted.
 *
 * NATS does not check the reply subject of a request, so a name may be invented, or be another client's. NATS_REPLY_PREFIXES with
 * the users' own inboxes, and without `_INBOX`, prevents invented names.
 */
export function clientOfReply(reply: string, prefixes: readonly string[]): string {
  const shared = isNamed(reply) ? undefined : prefixes.find((prefix) => reply.startsWith(`${prefix}.`));
  const end = reply.indexOf('.', shared === undefined ? 0 : shared.length + 1);
  return end === -1 ? reply : reply.slice(0, end);
}

/**
 * The connection, with subscriptions that drop each request whose answer would not go to an inbox: the micro-service library
 * itself answers `$SRV.PING`, `INFO` and `STATS`, to any reply subject.
 *
 * @param dropped gets each dropped request; a message that wants no answer passes.
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
  // `_services` is the library's cache: one made from the connection before would bypass this.
  return Object.create(connection, {
    subscribe: { value: subscribe },
    _services: { value: undefined, writable: true },
  });
}
