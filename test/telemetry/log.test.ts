import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { contextOf, newTrace } from '../../src/mailbox/trace.ts';

const source = (path: string) => new URL(`../../src/${path}`, import.meta.url).href;

/** What a process writes of one line that it logs in `trace`, and of one outside of any. */
async function linesOf(settings: { debug: boolean; traces: boolean }, trace: string) {
  const script = `
    import { inTrace } from '${source('mailbox/trace.ts')}';
    import { createLog } from '${source('telemetry/log.ts')}';
    const log = createLog({ format: 'json', ...${JSON.stringify(settings)} });
    inTrace('${trace}', () => log.info({}, 'within'));
    log.info({}, 'without');`;
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  return stderr
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { trace_id?: string }).trace_id);
}

test('with DEBUG, lines that are logged within a trace name it, where traces are exported', async () => {
  const trace = newTrace();
  const { traceId } = contextOf(trace)!;
  expect(await linesOf({ debug: true, traces: true }, trace)).toEqual([traceId, undefined]);
  expect(await linesOf({ debug: true, traces: false }, trace)).toEqual([undefined, undefined]);
  expect(await linesOf({ debug: false, traces: true }, trace)).toEqual([undefined, undefined]);
});
