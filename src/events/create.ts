import { RotaError } from '../errors.ts';
import type { EventSource } from './source.ts';

export function createEventSource(settings: { readonly kind: 'amqp' | 'jetstream' }): EventSource {
  throw new RotaError('BAD_CONFIG', `no event source of kind ${settings.kind} yet`);
}
