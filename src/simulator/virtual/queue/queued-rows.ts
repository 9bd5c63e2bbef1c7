import { priorityRange } from '../../../tasks/task.ts';
import { Heap } from '../heap.ts';
import { type Flow, type Image, type Place, popOrder, type Row } from './rows.ts';

/** 0: ranks that fair-share deals out to what a person put first; 2: those of other tasks; 1: priorities that a push gave, of no flow. */
export const bandOf = (rank: number): 0 | 1 | 2 => (rank < priorityRange.least ? 0 : rank <= 1 ? 1 : 2);

/** As popOrder, by the rank that a row had when it took its place. */
const inPopOrder = ({ row: a, rank }: Place, { row: b, rank: other }: Place): boolean =>
  rank < other ||
  (rank === other && (a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.number < b.number)));

/** What is queued of one scheduler, in pop order: the table `queue`. */
export class QueuedRows {
  /** By hash: one of a hash at a time. */
  readonly byHash = new Map<string, Row>();
  readonly #groups = new Map<string, Set<Row>>();
  readonly #flows = new Map<string, Flow>();
  readonly #images = new Map<string, Image>();
  /** Ranks of each band go before those of the next. */
  readonly #bands = [new Heap<Place>(inPopOrder), new Heap<Place>(inPopOrder), new Heap<Place>(inPopOrder)] as const;
  #ready = 0;

  /** How many may be popped. */
  get ready(): number {
    return this.#ready;
  }

  flowOf(organisation: string, name: string, manual: boolean): Flow {
    const key = `${manual ? '!' : ''}${organisation}\n${name}`;
    const known = this.#flows.get(key);
    if (known !== undefined) return known;
    const ranks = () =>
      new Heap<Place>((a, b) => a.rank > b.rank || (a.rank === b.rank && a.row.number > b.row.number));
    const image = this.#imageOf(name);
    const flow = { organisation, image, manual, ready: 0, ranks: ranks(), held: ranks(), heldAtMost: 16 };
    this.#flows.set(key, flow);
    return flow;
  }

  #imageOf(name: string): Image {
    const known = this.#images.get(name);
    if (known !== undefined) return known;
    const image: Image = { name, ready: { manual: 0, other: 0 } };
    this.#images.set(name, image);
    return image;
  }

  add(row: Row): void {
    this.byHash.set(row.hash, row);
    if (row.group !== null) {
      const group = this.#groups.get(row.group);
      if (group === undefined) this.#groups.set(row.group, new Set([row]));
      else group.add(row);
    }
    const band = bandOf(row.rank);
    row.flow = band === 1 ? null : this.flowOf(row.organisation, row.image, band === 0);
    if (row.held) this.#keep(row);
    else this.#show(row);
  }

  remove(row: Row): void {
    this.byHash.delete(row.hash);
    if (row.group !== null) {
      const group = this.#groups.get(row.group);
      group?.delete(row);
      if (group?.size === 0) this.#groups.delete(row.group);
    }
    if (row.held) row.turn += 1;
    else this.#hide(row);
  }

  /** A pause or a limit holds it from now on. */
  hold(row: Row): void {
    if (row.held) return;
    this.#hide(row);
    row.held = true;
    this.#keep(row);
  }

  /** It stays held, with another rank. */
  moveHeld(row: Row, rank: number): void {
    row.rank = rank;
    this.#keep(row);
  }

  /** It may be popped again, with that rank. */
  release(row: Row, rank: number): void {
    row.rank = rank;
    row.held = false;
    this.#show(row);
  }

  #keep(row: Row): void {
    row.turn += 1;
    const { flow } = row;
    if (flow === null) return;
    flow.held.push({ row, rank: row.rank, turn: row.turn });
    if (flow.held.size < flow.heldAtMost) return;
    flow.held.keep(isThere);
    flow.heldAtMost = 2 * flow.held.size + 16;
  }

  #show(row: Row): void {
    const place: Place = { row, rank: row.rank, turn: (row.turn += 1) };
    this.#bands[bandOf(row.rank)].push(place);
    this.#ready += 1;
    const { flow } = row;
    if (flow === null) return;
    flow.ready += 1;
    flow.image.ready[flow.manual ? 'manual' : 'other'] += 1;
    if (flow.ranks.size > 2 * flow.ready + 16) flow.ranks.keep(isThere);
    flow.ranks.push(place);
  }

  #hide(row: Row): void {
    row.turn += 1;
    this.#ready -= 1;
    const { flow } = row;
    if (flow === null) return;
    flow.ready -= 1;
    flow.image.ready[flow.manual ? 'manual' : 'other'] -= 1;
  }

  /** The first that may be popped, of those with ranks of a band or of any. */
  first(band?: 0 | 2): Row | null {
    for (const [at, heap] of this.#bands.entries()) {
      if (band !== undefined && at !== band) continue;
      const place = firstThat(heap);
      if (place !== null) return place.row;
    }
    return null;
  }

  /** So many rows that may be popped, in pop order. They are to be removed: their places are gone. */
  heads(most: number): readonly Row[] {
    const heads: Row[] = [];
    for (const heap of this.#bands) {
      while (heads.length < most) {
        const place = firstThat(heap);
        if (place === null) break;
        heap.pop();
        heads.push(place.row);
      }
    }
    return heads;
  }

  /** All of a group that may be popped, in pop order. */
  groupOf(key: string): readonly Row[] {
    return [...(this.#groups.get(key) ?? [])].filter(({ held }) => !held).toSorted(popOrder);
  }

  /** All of a group that are held. */
  heldOfGroup(key: string): readonly Row[] {
    return [...(this.#groups.get(key) ?? [])].filter(({ held }) => held);
  }

  /** The greatest rank of a flow that may be popped; null where none may. */
  lastRank(flow: Flow): number | null {
    return firstThat(flow.ranks)?.rank ?? null;
  }
}

/** The greatest rank that is held of a flow; null where none is. */
export function lastHeld(flow: Flow): number | null {
  return firstThat(flow.held)?.rank ?? null;
}

function isThere({ row, turn }: Place): boolean {
  return row.turn === turn;
}

function firstThat(heap: Heap<Place>): Place | null {
  for (let place = heap.peek(); place !== undefined; place = heap.peek()) {
    if (isThere(place)) return place;
    heap.pop();
  }
  return null;
}
