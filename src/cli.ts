#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { createProgram, endWith } from './cli/program.ts';
import type { StartPage } from './cli/page.ts';
import type { StartRota } from './cli/start.ts';
import { jetstreamPermissions } from './events/jetstream-streams.ts';
import { createJetstreamPublisher } from './events/jetstream-message.ts';
import { connectRota } from './nats/client.ts';
import type { PageOptions } from './page/server.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Loads main.ts when a supervisor starts: its modules would cost every other command half a second. */
const startRota: StartRota = async (config, options) => (await import('./main.ts')).startRota(config, options);

const startPage: StartPage = async ({ config, ...parts }) => {
  const [{ createPageServer }, { readPageAccess }, { readTls }, { createLog }, { logEvents }] = await Promise.all([
    import('./page/server.ts'),
    import('./page/session.ts'),
    import('./rest/access.ts'),
    import('./telemetry/log.ts'),
    import('./observation/logging.ts'),
  ]);
  const log = createLog({ format: config.SCHEDULER_LOGGING_FORMAT, debug: config.DEBUG });
  const endLog = logEvents(log);
  // Each command is in the supervisors' audit: here it is what a bulk job of them was.
  const audit: PageOptions['audit'] = (command, by, fields) => log.info({ audit: command, by, ...fields }, 'audit');
  const access = readPageAccess(config, { tls: readTls(config.SCHEDULER_API_TLS_CERT, config.SCHEDULER_API_TLS_KEY) })!;
  const server = await createPageServer({ ...parts, access, log, audit });
  return {
    url: await server.listen(),
    async close() {
      await server.close();
      endLog();
    },
  };
};

// A reader that closes the pipe (`rota events | head`) is no error: it ends the command, unless that serves other clients.
const serves = new Set(['start', 'dev', 'demo', 'page']);
process.stdout.on('error', () => {
  if (!serves.has(process.argv[2] ?? '')) process.exit(0);
});
process.stderr.on('error', () => {});

const program = createProgram({
  version,
  startRota,
  startPage,
  connectRota,
  createJetstreamPublisher,
  jetstreamPermissions,
});
await program.parseAsync(process.argv).catch(endWith);
