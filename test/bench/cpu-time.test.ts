import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { cpuMsOf, cpuMsOfFamily } from '../../bench/harness/cpu-time.ts';

/** Uses CPU time and ends. */
const busy = 'i=0; while [ $i -lt 600000 ]; do i=$((i+1)); done';

test.runIf(process.platform === 'linux')(
  'the CPU time of a family has that of children that run and of those that have ended',
  async () => {
    // The shell waits for the first child, tells, and goes on with a second one that runs until it is ended.
    const shell = spawn('sh', ['-c', `sh -c '${busy}'; echo ended; sh -c '${busy}; echo busy; exec sleep 60' & wait`], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(shell.stdout, 'data');
      const afterOne = await cpuMsOfFamily(shell.pid!);
      expect(afterOne).toBeGreaterThanOrEqual(60);
      expect(await cpuMsOf(shell.pid!)).toBeLessThan(afterOne / 2);
      await once(shell.stdout, 'data');
      expect((await cpuMsOfFamily(shell.pid!)) - afterOne).toBeGreaterThanOrEqual(afterOne / 3);
    } finally {
      process.kill(-shell.pid!);
    }
  },
);
