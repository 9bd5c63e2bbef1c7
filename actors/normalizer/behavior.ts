import type { Delivery } from '../../src/mailbox/message.ts';
import type { Explain } from '../../src/protocol/commands.ts';
import type { RawFileReceived } from '../../src/protocol/events.ts';
import type { SchedulerDefinition } from '../../src/protocol/scheduler.ts';
import { explaining } from './explain.ts';
import { handleRawFiles } from './raw-files.ts';

/** Decides which normalizers parse a raw file. */
const normalizer: SchedulerDefinition<RawFileReceived | Explain> = {
  type: 'normalizer',
  itemType: 'NormalizerTask',
  ranker: 'fair-share',
  streams: ['raw_file_received'],
  clocks: [],
  start: (setup) => ({
    'raw-file-received': (batch: readonly Delivery<RawFileReceived>[]) => handleRawFiles(setup, batch),
    explain: explaining(setup),
  }),
};

export default normalizer;
