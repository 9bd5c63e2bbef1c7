import { queryByKey, type Sql, statement } from '../../postgres/pool.ts';

/** Kinds of names that the database knows. */
export const storedKinds = ['organisation', 'boefje', 'image'] as const;
export type StoredKind = (typeof storedKinds)[number];

export interface NamesRequest {
  readonly schedulers: readonly string[];
  readonly prefix: string;
  readonly limit: number;
}

/** A hundred names may stand between those that begin alike; each of queued ones is a descent of an index: 20 µs. */
const organisationsRead = 1_000;
const queuedRead = 200;
/** Of each, the boefjes that are enabled there: some 40. */
const organisationsOfBoefjes = 100;

/** Names that begin with `prefix`, in order: for choices and completion. They may be of what no longer exists. */
export async function readNames(
  sql: Sql,
  kind: StoredKind,
  { schedulers, prefix, limit }: NamesRequest,
): Promise<readonly string[]> {
  const read = (text: string, ...values: readonly unknown[]) => queryByKey<{ name: string }>(sql, text, values);
  const queued = (column: 'plugin' | 'image') => {
    const text = statement('lists/names-queued').replaceAll('{column}', () => column);
    return schedulers.map((scheduler) => read(text, scheduler, prefix, limit, queuedRead));
  };
  const asked = {
    organisation: () => [read(statement('lists/names-of-organisations'), schedulers, prefix, limit, organisationsRead)],
    boefje: () => [
      ...queued('plugin'),
      // Of no other scheduler does Katalogus tell what may be queued.
      ...(schedulers.includes('boefje')
        ? [read(statement('lists/names-of-boefjes'), prefix, limit, organisationsOfBoefjes)]
        : []),
    ],
    image: () => queued('image'),
  } as const satisfies Record<StoredKind, () => readonly Promise<readonly { readonly name: string }[]>[]>;
  const rows = (await Promise.all(asked[kind]())).flat();
  return [...new Set(rows.map(({ name }) => name))].toSorted().slice(0, limit);
}
