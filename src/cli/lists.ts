import type { ListPage } from '../protocol/operator-lists.ts';
import { moment } from '../control/wording.ts';
import { line } from './terminal.ts';

/** How long a list goes on looking for rows to fill it, one request after the other. */
const lookWithinMs = 5_000;

/** Asks on, where a search found too little, until the list is full or some seconds are over. */
export async function listUntilFull<T>(
  limit: number,
  from: string | undefined,
  ask: (from: string | undefined, limit: number) => Promise<ListPage<T>>,
): Promise<ListPage<T>> {
  const until = performance.now() + lookWithinMs;
  let page = await ask(from, limit);
  while (page.next !== null && page.looked_at !== null && page.results.length < limit && performance.now() < until) {
    const more = await ask(page.next, limit - page.results.length);
    page = {
      ...more,
      count: page.count + more.count,
      count_is_least: from !== undefined || more.next !== null,
      results: [...page.results, ...more.results],
      looked_at: page.looked_at + (more.looked_at ?? 0),
    };
  }
  return page;
}

/** `1234`, or `10000+` where no more were counted. */
export function leastOf({ count, count_is_least: least }: Pick<ListPage<unknown>, 'count' | 'count_is_least'>): string {
  return `${count}${least ? '+' : ''}`;
}

/** Options of the command that goes on. */
type Options = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The last lines of a list: how much of it was shown, how far a search has looked, and the command that goes on. */
export function endOfList(
  page: ListPage<unknown>,
  { newestFirst, command, options }: { newestFirst: boolean; command: string; options: Options },
): string {
  const { results, next, searched_to: to, looked_at: looked } = page;
  const rows = `${looked?.toLocaleString('en').replaceAll(',', ' ')} ${newestFirst ? 'newest' : 'most urgent'}`;
  const reached = to === null ? '' : `, ${newestFirst ? 'back to' : 'up to'} ${moment(to)}`;
  const shown =
    next === null || looked === null
      ? `${results.length} of ${leastOf(page)}`
      : `${results.length === 0 ? 'none' : `${results.length} of ${leastOf(page)}`} among the ${rows}${reached}`;
  if (next === null) return shown;
  const words = Object.entries(options).flatMap(([name, value]) => wordsOf(`--${name}`, value));
  return `${shown}\ngo on: rota ${command} ${[...words, newestFirst ? '--before' : '--after', next].join(' ')}`;
}

function wordsOf(flag: string, value: Options[string]): readonly string[] {
  if (value === undefined || value === false) return [];
  if (value === true) return [flag];
  if (typeof value === 'object') return value.flatMap((one) => wordsOf(flag, one));
  return [flag, quoted(String(value))];
}

/** For a shell. */
function quoted(word: string): string {
  return /^[\w.:@%+=,/-]+$/.test(word) ? word : line`'${word.replaceAll("'", String.raw`'\''`)}'`;
}
