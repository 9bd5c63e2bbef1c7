/** Requests of a set carry at most this many items and characters, so that the answer fits into one message, too. */
const chunk = { items: 500, characters: 262_144 };

/** The items of a set, in as many requests as they need. */
export function* chunksOf(items: readonly unknown[]): Generator<unknown[]> {
  let part: unknown[] = [];
  let characters = 0;
  for (const item of items) {
    const size = JSON.stringify(item).length;
    if (part.length > 0 && (part.length >= chunk.items || characters + size > chunk.characters)) {
      yield part;
      part = [];
      characters = 0;
    }
    part.push(item);
    characters += size;
  }
  if (part.length > 0) yield part;
}
