import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

/** A process under its guard, with nothing in it but what `ready` does once it runs. */
async function run(ready: string): Promise<{ code: number | null; said: string; log: string }> {
  const script = `
    import { runUntilSignal } from ${JSON.stringify(new URL('../../src/cli/start.ts', import.meta.url).href)};
    const say = (text) => process.stdout.write(text + '\\n');
    const alive = setInterval(() => {}, 1_000);
    const start = async () => ({ api: '', nats: '', db: '', drain: async () => say('drained') });
    await runUntilSignal(start, {}, {}, () => { ${ready} });
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  const [said, log, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, said, log };
}

test('an unhandled rejection is reported, and the process goes on', async () => {
  const { code, said, log } = await run(`
    void Promise.reject(new Error('not awaited'));
    setTimeout(() => { say('goes on'); process.kill(process.pid, 'SIGTERM'); }, 20);
  `);
  expect([code, said]).toEqual([0, 'goes on\ndrained\n']);
  expect(log).toContain('rejection: Error: not awaited');
});

test('an uncaught exception drains the process, which exits 70', async () => {
  const { code, said, log } = await run(`setTimeout(() => { throw new Error('torn'); }, 5);`);
  expect([code, said]).toEqual([70, 'drained\n']);
  expect(log).toContain('exception: Error: torn');
});
