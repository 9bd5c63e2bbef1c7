import { filterRows } from './filters.ts';
import { requestRows } from './requests.ts';
import type { Row } from './row.ts';
import { sizeRows } from './sizes.ts';

/** Those that may spoil the stage come last, each on one of its own. */
export const rows: readonly Row[] = [...requestRows, ...filterRows, ...sizeRows].toSorted(
  (a, b) => Number(a.spoils ?? false) - Number(b.spoils ?? false),
);
