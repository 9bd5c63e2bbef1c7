/**
 * What is in flight, by a key that `add` gives out. For a set to and from which every request is added and removed.
 *
 * A Set's table is made anew every few dozen removals; the old one keeps its items and points to the next. Once one such table is in
 * V8's old generation, every later one, and so every request of the last seconds, survives the young generation and is copied twice
 * (docs/design-choices.md: a twentieth of a pop's CPU time).
 */
export class Slab<Item extends object> {
  readonly #items: (Item | null)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#items.length - this.#free.length;
  }

  /** @returns the item's key, which a later item has again once this one is removed */
  add(item: Item): number {
    const key = this.#free.pop() ?? this.#items.length;
    this.#items[key] = item;
    return key;
  }

  /** @returns whether the item was there: it is removed once, however often that is asked for with its own key and item */
  remove(key: number, item: Item): boolean {
    if (this.#items[key] !== item) return false;
    this.#items[key] = null;
    this.#free.push(key);
    return true;
  }

  /** In no order. An item that is added meanwhile may be left out. */
  *[Symbol.iterator](): Generator<Item> {
    for (const item of this.#items) if (item !== null) yield item;
  }
}
