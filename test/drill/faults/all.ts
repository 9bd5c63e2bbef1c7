import type { Fault } from '../fault.ts';
import { brokerFaults } from './broker.ts';
import { clockFaults } from './clocks.ts';
import { databaseFaults } from './database.ts';
import { endFaults } from './ends.ts';
import { failoverFaults } from './failover.ts';
import { katFaults } from './kat.ts';
import { loadFaults } from './load.ts';
import { natsFaults } from './nats.ts';
import { pgbouncerFaults } from './pgbouncer.ts';
import { processFaults } from './processes.ts';

/** Every fault of `make drill`, in the order of the table. */
export const faults: readonly Fault[] = [
  ...databaseFaults,
  ...failoverFaults,
  ...pgbouncerFaults,
  ...natsFaults,
  ...brokerFaults,
  ...katFaults,
  ...processFaults,
  ...loadFaults,
  ...clockFaults,
  ...endFaults,
];
