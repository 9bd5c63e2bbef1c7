import type { ServiceMsg } from 'nats';
import { RotaError } from '../errors.ts';
import { requestBytes } from './budgets.ts';

/**
 * Bytes of the whole message, headers too: so much of it is kept until it is answered.
 *
 * @throws RotaError INVALID_REQUEST where it is larger than any request of its endpoint
 */
export function sizeWithinBudget(message: ServiceMsg, endpoint: string): number {
  const body = message.data.length;
  const bytes = sizeOf(message);
  if (bytes - body > requestBytes.headers) {
    throw new RotaError('INVALID_REQUEST', `headers: at most ${requestBytes.headers} bytes, with the subjects`);
  }
  const most = mostBodyOf(endpoint);
  if (body > most) throw new RotaError('INVALID_REQUEST', `body: at most ${most} bytes; this one has ${body}`);
  return bytes;
}

function mostBodyOf(endpoint: string): number {
  const name = endpoint.startsWith('ctl') ? 'ctl' : endpoint;
  return (requestBytes.body as Readonly<Record<string, number>>)[name] ?? Number.POSITIVE_INFINITY;
}

/** The library's message knows it, which its types do not tell; the length of `headers` is known only once they are parsed. */
function sizeOf(message: ServiceMsg): number {
  return (message as unknown as { readonly msg: { size(): number } }).msg.size();
}
