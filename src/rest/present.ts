/** Without the keys whose value is undefined: an absent parameter is an absent condition. */
export function present<T extends Record<string, unknown>>(values: T): Present<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<T>;
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
