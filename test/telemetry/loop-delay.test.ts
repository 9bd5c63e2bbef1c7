import { expect, onTestFinished, test } from 'vitest';
import { watchLoopDelay } from '../../src/telemetry/loop-delay.ts';

test('a thread that was held up shows how long', async () => {
  const loop = watchLoopDelay();
  onTestFinished(() => loop.stop());
  // It looks for the first time before it can be late.
  await new Promise((resolve) => setTimeout(resolve, 50));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  await expect.poll(() => loop.read().maxMs).toBeGreaterThan(150);
});
