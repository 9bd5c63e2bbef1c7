/**
 * `rota/testing`: a KAT to schedule for, without KAT, and a ledger that says whether each task was done once. Published with what
 * Rota's own tests use it for; it may change in any release.
 */
export { createJetstreamPublisher } from '../../src/events/jetstream-message.ts';
export type { BytesStore } from '../../src/simulator/bytes.ts';
export {
  type EventPublisher,
  rawFileReceived,
  scanProfileDeletion,
  scanProfileMutation,
} from '../../src/simulator/events.ts';
export { type KatServiceName, type OutageMode, type SimulatedKat, startKat } from '../../src/simulator/kat.ts';
export { type HandOut, Ledger, type LedgerCounts } from '../../src/simulator/measures.ts';
export { runSimulatedWorker, type SimulatedWorker, type TaskClient } from '../../src/simulator/worker.ts';
export { createWorld, type World } from '../../src/simulator/world.ts';
