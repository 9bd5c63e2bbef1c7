import type { Plugin } from '../../src/kat/kat.ts';
import type { RefusalReason } from '../../src/tasks/refusal.ts';

/** What Bytes tells of a raw file; `size` null where it does not tell. */
export interface RawFileFacts {
  readonly mimeTypes: readonly string[];
  readonly size: number | null;
}

/** One thing that must hold of a raw file; `fact` is what it decides by, for `rota explain`. */
interface RawFileRule {
  readonly rule: string;
  readonly reason: RefusalReason;
  readonly refuses: (rawFile: RawFileFacts) => boolean;
  readonly fact: (rawFile: RawFileFacts) => string;
}

export const rawFileRules: readonly RawFileRule[] = [
  {
    rule: 'mime types',
    reason: 'no-mime-type',
    refuses: ({ mimeTypes }) => mimeTypes.length === 0,
    fact: ({ mimeTypes }) => mimeTypes.join(', ') || 'it has none',
  },
  {
    rule: 'boefje run',
    reason: 'error-mime-type',
    refuses: ({ mimeTypes }) => mimeTypes.some((mimeType) => mimeType.startsWith('error/')),
    fact: ({ mimeTypes }) => mimeTypes.find((mimeType) => mimeType.startsWith('error/')) ?? 'it did not fail',
  },
  {
    rule: 'content',
    reason: 'empty-raw-file',
    refuses: ({ size }) => size === 0,
    fact: ({ size }) => (size === null ? 'nothing tells its size' : `${size} bytes`),
  },
];

/** Why nothing parses a raw file, whatever the normalizers; null where they decide. */
export function refusalOf(rawFile: RawFileFacts): RefusalReason | null {
  return rawFileRules.find((rule) => rule.refuses(rawFile))?.reason ?? null;
}

/** A boefje says with this mime type that it need not run on this OOI again (#5007). */
export const deschedule = 'openkat/deschedule';

/** Normalizers of an organisation that consume one of the mime types, disabled ones too. */
export function consumersOf(plugins: ReadonlyMap<string, Plugin>, mimeTypes: readonly string[]): readonly Plugin[] {
  const wanted = new Set(mimeTypes);
  return [...plugins.values()].filter(
    (plugin) => plugin.type === 'normalizer' && plugin.consumes.some((mimeType) => wanted.has(mimeType)),
  );
}
