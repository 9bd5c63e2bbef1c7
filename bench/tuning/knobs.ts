import { embeddedSettings } from '../../src/embedded/postgres.ts';
import type { Machine } from '../harness/report.ts';
import type { Settings } from './candidates.ts';
import type { WorkloadName } from './workloads.ts';

/** Something to turn, and what is tried beside its default. */
export interface Knob {
  readonly name: string;
  readonly where: 'rota' | 'postgres';
  /** As `rota start`, and the Postgres of `rota dev`, have it. */
  readonly standard: Settings;
  readonly tries: readonly Settings[];
  readonly workloads: readonly WorkloadName[];
  /** What it does takes longer to be seen than a sample of `--quick` lasts. */
  readonly slow?: boolean;
}

/** What Postgres comes with, and what `rota dev` starts it with. */
const standardOf: Settings = { wal_compression: 'off', commit_delay: '0', ...embeddedSettings };

/** None of them may cost durability: fsync, synchronous_commit, full_page_writes and wal_sync_method are not for sale. */
export function knobs({ cores, memory_gib }: Pick<Machine, 'cores' | 'memory_gib'>): readonly Knob[] {
  const rota = (name: string, standard: number, tries: readonly number[], workloads: Knob['workloads']): Knob => ({
    name,
    where: 'rota',
    standard: { [name]: String(standard) },
    tries: tries.map((value) => ({ [name]: String(value) })),
    workloads,
  });
  const postgres = (name: string, tries: readonly string[]): Knob => ({
    name,
    where: 'postgres',
    standard: { [name]: standardOf[name]! },
    tries: tries.map((value) => ({ [name]: value })),
    workloads: ['pop', 'lives'],
  });
  return [
    rota('SCHEDULER_CLAIMS_IN_FLIGHT', 4, [2, 8], ['pop', 'lives']),
    rota('SCHEDULER_CLAIM_BATCH', 1_000, [50, 200], ['pop', 'sets']),
    rota('SCHEDULER_WRITES_IN_FLIGHT', 4, [2, 8], ['push', 'lives']),
    rota('SCHEDULER_PUSH_BATCH', 1_000, [100, 300], ['push', 'sets']),
    rota('SCHEDULER_DB_CONNECTION_POOL_SIZE', 25, [12, 50], ['pop', 'lives']),
    rota('SCHEDULER_RANKING_THREADS', 1, cores === 1 ? [] : [2, ...(cores > 2 ? [cores - 1] : [])], ['rank']),
    postgres('shared_buffers', [`${Math.max(512, memory_gib * 256)}MB`]),
    postgres('wal_compression', ['on']),
    {
      ...postgres('commit_delay', []),
      // With fewer than that at work Postgres does not wait; a supervisor has eight statements in flight at most.
      tries: [{ commit_delay: '200', commit_siblings: '2' }],
    },
    {
      ...postgres('max_wal_size', ['1GB', '8GB']),
      workloads: ['sustained'],
      slow: true,
    },
    // A minute is what Postgres itself comes with.
    { ...postgres('autovacuum_naptime', ['2s', '1min']), workloads: ['sustained'], slow: true },
  ];
}
