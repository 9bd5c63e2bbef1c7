import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { readConfig } from '../config/config.ts';
import { devData } from './remote.ts';
import { runUntilSignal, type StartRota } from './run.ts';
import { write, writeJson } from './terminal.ts';

export function devCommand(start: StartRota): Command {
  return new Command('dev')
    .description('run on embedded Postgres and nats-server, with no other service on the machine')
    .option('--data <dir>', 'where they keep their data; created if absent, kept afterwards', devData)
    .option('--api-port <port>', 'port of the REST API', port, 8000)
    .option('--nats-port <port>', 'port of NATS', port, 4222)
    .option('--json', 'print one line of JSON once it serves')
    .addHelpText('after', '\nExample:\n  rota dev --data ./data --api-port 18000 --nats-port 14222 --json')
    .action(async (options: { data: string; apiPort: number; natsPort: number; json?: boolean }) => {
      const config = readConfig({
        ...process.env,
        SCHEDULER_DB_URI: undefined,
        SCHEDULER_DB_DSN: undefined,
        NATS_URL: undefined,
        SCHEDULER_API_HOST: '127.0.0.1',
        SCHEDULER_API_PORT: String(options.apiPort),
      });
      await runUntilSignal(start, config, { data: resolve(options.data), natsPort: options.natsPort }, (rota) => {
        const { api, nats, db } = rota;
        if (options.json === true) return writeJson({ ready: true, api, nats, db });
        const data = resolve(options.data);
        const lines = [
          'Rota serves',
          `  REST      ${api}  (docs: ${api}/docs)`,
          `  NATS      ${nats}`,
          `  Postgres  ${db}`,
          `  data      ${data}`,
          "The passwords are this folder's own. In other shells:",
          `  export NATS_URL=$(cat ${data}/nats.url)`,
          `  psql "$(cat ${data}/postgres.url)"`,
          'Ctrl-C drains and ends it.',
        ];
        write(`${lines.join('\n')}\n`);
      });
    });
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('expected a port, 0 to 65535');
  return value;
}
