import { Writable } from 'node:stream';
import { createLog, type Logger } from '../../src/telemetry/log.ts';

/** A log, and what it has written. */
export function logToLines(options: Omit<Parameters<typeof createLog>[0], 'to'>): {
  readonly log: Logger;
  readonly lines: readonly string[];
} {
  const lines: string[] = [];
  const to = new Writable({
    write(chunk: Buffer, _encoding, written) {
      lines.push(chunk.toString().trimEnd());
      written();
    },
  });
  return { log: createLog({ ...options, to }), lines };
}
