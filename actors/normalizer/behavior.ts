import type { RawFileReceived } from '../../src/protocol/events.ts';
import type { SchedulerDefinition } from '../../src/protocol/scheduler.ts';
import { handleRawFiles } from './raw-files.ts';

/** Decides which normalizers parse a raw file. */
const normalizer: SchedulerDefinition<RawFileReceived> = {
  type: 'normalizer',
  itemType: 'NormalizerTask',
  ranker: 'raw-file-age',
  streams: ['raw_file_received'],
  clocks: [],
  start: (setup) => ({ 'raw-file-received': (batch) => handleRawFiles(setup, batch) }),
};

export default normalizer;
