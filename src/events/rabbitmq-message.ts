import type { AsyncMessage, Envelope } from 'rabbitmq-client';
import { attemptsHeader, deadAtHeader, errorHeader, traceHeader } from './headers.ts';
import { type Destination, epitaph } from './intake.ts';

export function attemptsOf(message: AsyncMessage): number {
  const value: unknown = message.headers?.[attemptsHeader];
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : 0;
}

export function traceOf(message: AsyncMessage): string {
  const value: unknown = message.headers?.[traceHeader];
  return typeof value === 'string' ? value : '';
}

/** The envelope of an event on its way on: its own properties, what has become of it added. */
export function forwarded(message: AsyncMessage, to: Destination, now: Date): Envelope {
  const { contentType, contentEncoding, priority, correlationId, replyTo, messageId, timestamp, type, appId } = message;
  const kept = { contentType, contentEncoding, priority, correlationId, replyTo, messageId, timestamp, type, appId };
  const headers: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message.headers ?? {}))
    if (!brokerHeaders.test(name)) headers[name] = value;
  if (to.attempts > 0 || to.to === 'dead') headers[attemptsHeader] = to.attempts;
  if (to.to === 'dead') {
    headers[errorHeader] = epitaph(to.failure);
    headers[deadAtHeader] = now.toISOString();
  }
  const present = Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
  return { ...present, headers };
}

/** What RabbitMQ adds on expiry, and what would make it deliver copies elsewhere. */
const brokerHeaders = /^(?:x-death|x-(?:first|last)-death-\w+|CC|BCC)$/;

/** The library parses bodies by their content type; what goes on, and what is parsed here, is bytes. */
export function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
