import { isOfTls } from '../tls-files.ts';

/**
 * Why there is no connection to RabbitMQ, for people: the place, its own reason, and what to do where that is known. Never a
 * password.
 */
export function brokerFault(brokerUrl: string, error: { readonly code?: unknown; readonly message: string }): string {
  const { hostname, port, protocol, pathname, username } = new URL(brokerUrl);
  const vhost = decodeURIComponent(pathname.slice(1).split('/')[0]!) || '/';
  const at = `${hostname}:${port || (protocol === 'amqps:' ? 5671 : 5672)}`;
  const place = `${at}, vhost "${vhost}", user "${decodeURIComponent(username)}"`;
  // The library puts the method before it, or `undefined`.
  const reason = error.message.replace(/^\w+: (?=[A-Z_]+ - )/, '');
  const advice = isOfTls(error) ? tlsAdvice : advices[String(error.code)];
  return `${place}: ${reason}${advice === undefined ? '' : `; ${advice} QUEUE_URI`}`;
}

const tlsAdvice = 'correct its TLS, or QUEUE_TLS_CA, QUEUE_TLS_CERT, QUEUE_TLS_KEY or';

/** By what the broker, or Node, calls it. */
const advices: Readonly<Record<string, string>> = {
  ACCESS_REFUSED: 'correct user and password in',
  NOT_ALLOWED: 'create the vhost and let the user in, or correct both in',
  NOT_AMQP: 'correct the port in',
  ENOTFOUND: 'correct the host in',
  EAI_AGAIN: 'correct the host in',
  ECONNREFUSED: 'start it, or correct host and port in',
};
