import type { RawData } from '../tasks/data.ts';

/** Octopoes changed a scan profile; kat-contract §4. */
export interface ScanProfileMutated {
  readonly kind: 'scan-profile-mutated';
  readonly operation: 'create' | 'update' | 'delete';
  readonly organisation: string;
  readonly primaryKey: string;
  /** Null for deletes, and where the OOI has none. */
  readonly objectType: string | null;
  readonly scanLevel: number | null;
}

/** Bytes stored a raw file; secrets (`environment`, `runnable_hash`) are dropped before this exists. kat-contract §4. */
export interface RawFileReceived {
  readonly kind: 'raw-file-received';
  readonly organisation: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly rawData: RawData;
  /** Of the raw file, where the event has it: 0 triggers no normalizer (#4424). */
  readonly size: number | null;
}

export type StreamEvent = ScanProfileMutated | RawFileReceived;
