import type { NewLimit } from '../../src/queue/limits/limits.ts';

/** A limit of any task that all of them share, but for what is given. */
export const aLimit = (fields: Partial<NewLimit> & { name: string }): NewLimit => ({
  kind: 'limit',
  scheduler: null,
  organisation: null,
  plugin: null,
  image: null,
  ooiType: null,
  template: 'all',
  spacingMs: null,
  burst: 1,
  concurrency: null,
  exemptManual: false,
  hours: null,
  note: null,
  setBy: null,
  ...fields,
});
