import { pino } from 'pino';

/** For what needs a log and whose lines no test reads. */
export const quietLog = pino({ level: 'silent' });
