import type { Msg, NatsConnection, SubscriptionOptions } from 'nats';

/**
 * The reply subject of a request is a publish with the supervisor's permissions: `$JS.API.STREAM.PURGE.…` would purge a
 * stream, `rota.event.…` forge an event. So only inboxes are answered.
 */

/**
 * Whether answers may go there: below one of the prefixes, or below `<prefix>_<name>`, the inbox of a NATS user of its own.
 * Subjects with wildcards are none that a client subscribes to for itself.
 */
export function isInbox(reply: string, prefixes: readonly string[]): boolean {
  if (reply.includes('*') || reply.includes('>')) return false;
  return prefixes.some((prefix) => {
    if (!reply.startsWith(prefix)) return false;
    const after = reply[prefix.length];
    const named = after === '_' ? reply.indexOf('.', prefix.length) : -1;
    return (
      (after === '.' && reply.length > prefix.length + 1) || (named > prefix.length + 1 && reply.length > named + 1)
    );
  });
}

/**
 * Who asked, by its inbox: `_INBOX_<name>` is what a NATS user with an inbox prefix of its own may subscribe to, whichever of
 * its connections it is; of the common `_INBOX` each connection has one token below it. '' where no answer is wanted.
 */
export function clientOf(reply: string, prefixes: readonly string[]): string {
  const common = prefixes.find((prefix) => reply.startsWith(`${prefix}.`));
  const end = reply.indexOf('.', common === undefined ? 0 : common.length + 1);
  return end === -1 ? reply : reply.slice(0, end);
}

/**
 * The connection, but that what is subscribed over it never sees a request whose answer would go elsewhere: the micro-service
 * library answers `$SRV.PING`, `INFO` and `STATS` by itself, to whatever subject it is told.
 *
 * @param dropped is told of each; a message that wants no answer passes.
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
