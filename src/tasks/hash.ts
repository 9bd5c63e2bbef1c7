import murmurhash from 'murmurhash3js-revisited';

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
