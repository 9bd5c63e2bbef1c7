import type { View } from '../page.ts';
import { machinery } from './machinery.ts';
import { overview } from './overview.ts';
import { rerank } from './sources.ts';
import { why } from './why.ts';

/** Every page by its path. */
export const views: Readonly<Record<string, View>> = {
  '/': overview,
  '/machinery': machinery,
  '/machinery/rerank': rerank,
  '/why': why,
};
