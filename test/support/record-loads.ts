import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { threadId } from 'node:worker_threads';

/**
 * Preloaded with `--import`: writes each module of OpenTelemetry that a thread loads to the file that RECORD_LOADS names,
 * as `<thread> <package>`.
 */
registerHooks({
  load(url, context, nextLoad) {
    const found = /node_modules\/(@opentelemetry\/[^/]+)\//.exec(url);
    if (found) appendFileSync(process.env['RECORD_LOADS']!, `${threadId} ${found[1]}\n`);
    return nextLoad(url, context);
  },
});
