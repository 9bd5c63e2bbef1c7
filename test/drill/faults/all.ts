import type { Fault } from '../fault.ts';
import { databaseFaults } from './database.ts';
import { natsFaults } from './nats.ts';

/** Every fault of `make drill`, in the order of the table. */
export const faults: readonly Fault[] = [...databaseFaults, ...natsFaults];
