import type { Config } from '../config/config.ts';
import { RotaError } from '../errors.ts';
import type { Embedded } from './process.ts';
import { startNats } from './nats.ts';
import { startPostgres } from './postgres.ts';

/**
 * Starts an embedded database and NATS, with their data in `data`, where the configuration names none.
 *
 * @throws RotaError BAD_CONFIG in production: an embedded database there is a forgotten variable.
 */
export async function startEmbedded(
  config: Pick<Config, 'SCHEDULER_DB_URI' | 'NATS_URL' | 'NODE_ENV'>,
  options: {
    readonly data: string;
    readonly natsPort?: number | undefined;
    readonly log: { warn(fields: object, message: string): void };
  },
): Promise<{ databaseUrl: string; natsUrl: string; stop(withinMs?: number): Promise<void> }> {
  const missing = [
    ...(config.SCHEDULER_DB_URI === undefined ? ['SCHEDULER_DB_URI'] : []),
    ...(config.NATS_URL === undefined ? ['NATS_URL'] : []),
  ];
  if (missing.length > 0 && config.NODE_ENV === 'production') {
    throw new RotaError('BAD_CONFIG', `${missing.join(' and ')}: expected a URL, since NODE_ENV is production`);
  }
  const running: Embedded[] = [];
  // Neither needs the other to end. One that hangs is killed in time: otherwise it would outlive us.
  const stop = async (withinMs?: number) => {
    const graceMs = withinMs === undefined ? undefined : Math.max(withinMs - 200, 100);
    await Promise.all(running.splice(0).map((service) => service.stop(graceMs)));
  };
  const keep = <T extends Embedded>(service: T): T => {
    running.push(service);
    return service;
  };
  try {
    if (missing.length > 0) options.log.warn({ missing, data: options.data }, 'not set: embedded services are used');
    const databaseUrl = config.SCHEDULER_DB_URI ?? keep(await startPostgres({ directory: options.data })).url;
    const port = options.natsPort === undefined ? {} : { port: options.natsPort };
    const natsUrl = config.NATS_URL ?? keep(await startNats({ directory: options.data, ...port })).url;
    return { databaseUrl, natsUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
