import { randomUUIDv7 } from 'node:crypto';
// @ts-expect-error -- it comes without types
import untyped from 'murmurhash3js-revisited';

const murmurhash: { readonly x64: { hash128(bytes: Uint8Array): string } } = untyped;

/**
 * mula's task hash: MurmurHash3 x64 128-bit, seed 0, hex of the little-endian bytes (`mmh3.hash_bytes`); kat-contract
 * §1. The library answers with the two 64-bit halves big-endian, so the bytes of each half are reversed.
 */
export function murmur128(text: string): string {
  const hex = murmurhash.x64.hash128(encoder.encode(text));
  return reverseBytes(hex.slice(0, 16)) + reverseBytes(hex.slice(16));
}

const encoder = new TextEncoder();

function reverseBytes(hex: string): string {
  let reversed = '';
  for (let at = hex.length - 2; at >= 0; at -= 2) reversed += hex.slice(at, at + 2);
  return reversed;
}

export function boefjeHash(task: { boefjeId: string; inputOoi: string | null; organisation: string }): string {
  return murmur128(
    task.inputOoi === null || task.inputOoi === ''
      ? `${task.boefjeId}-${task.organisation}`
      : `${task.inputOoi}-${task.boefjeId}-${task.organisation}`,
  );
}

export function normalizerHash(task: { normalizerId: string; boefjeMetaId: string; organisation: string }): string {
  return murmur128(`${task.normalizerId}-${task.boefjeMetaId}-${task.organisation}`);
}

export function reportHash(task: { recipeId: string; organisation: string }): string {
  return murmur128(`${task.recipeId}-${task.organisation}`);
}

/**
 * A UUID of version 7: later ones sort after earlier ones, so that the primary keys of tasks and schedules grow at their
 * right edge and not all over (one random page less per row and index to write into the log after each checkpoint). By this
 * machine's clock, however wrong: nothing is decided by the order of ids.
 */
export function timeOrderedUuid(): string {
  return randomUUIDv7();
}

declare module 'node:crypto' {
  /** The pinned Node has it, @types/node 24 does not yet. 0.26 µs, where one made of a random UUID took 1 µs. */
  function randomUUIDv7(): string;
}
