import { RotaError } from '../errors.ts';
import { type Declined, createOctopoes } from './octopoes.ts';
import { createBytes } from './bytes.ts';
import type { CircuitState } from './resilience.ts';
import type { Bytes, Katalogus, KatServices, Octopoes } from './kat.ts';
import { createKatalogus, type SkippedPlugin } from './katalogus.ts';
import { createServiceClient, type ServiceSettings, type ServiceStatus, type Time } from './request.ts';

/** Null where a service is not configured: its calls fail with SERVICE_UNAVAILABLE. */
export interface KatSettings {
  readonly katalogus: ServiceSettings | null;
  readonly octopoes: ServiceSettings | null;
  readonly bytes: ServiceSettings | null;
  readonly bytesUser: string | null;
  readonly bytesPassword: string | null;
}

export type KatClients = KatServices & {
  /** Of the services that are set. */
  status(): readonly ServiceStatus[];
  /** Ends what is in flight; it rejects with SERVICE_UNAVAILABLE. */
  close(): Promise<void>;
};

/** What the clients notice of their services beside the answers. */
interface KatListener {
  readonly circuitChanged?: (service: string, state: CircuitState) => void;
  /** Once for each thing that is wrong with a plug-in. */
  readonly pluginSkipped?: (skipped: SkippedPlugin) => void;
  /** Once for each organisation, type and OOI that Octopoes declines. */
  readonly declined?: (declined: Declined) => void;
}

/**
 * Katalogus, Octopoes and Bytes over HTTP. Each has its own connections and its own circuit, so that an outage of one slows
 * only its own callers. A service that is not set rejects every call with SERVICE_UNAVAILABLE and its variable's name.
 */
export function createKatServices(settings: KatSettings, time: Time, listener: KatListener = {}): KatClients {
  const clientOf = (service: string, of: ServiceSettings) =>
    createServiceClient(service, of, time, (state) => listener.circuitChanged?.(service, state));
  const katalogus = settings.katalogus && clientOf('katalogus', settings.katalogus);
  const octopoes = settings.octopoes && clientOf('octopoes', settings.octopoes);
  const bytes = settings.bytes && clientOf('bytes', settings.bytes);
  const clients = [katalogus, octopoes, bytes].filter((client) => client !== null);

  return {
    katalogus: katalogus === null ? katalogusUnset() : createKatalogus(katalogus, time.now, listener.pluginSkipped),
    octopoes: octopoes === null ? octopoesUnset() : createOctopoes(octopoes, time, listener.declined),
    bytes: bytes === null ? bytesUnset('BYTES_API') : bytesOf(bytes),
    status: () => clients.map((client) => client.status()),
    close: async () => {
      for (const client of clients) client.close();
    },
  };

  function bytesOf(client: NonNullable<typeof bytes>): Bytes {
    if (settings.bytesUser === null) return bytesUnset('BYTES_USERNAME');
    if (settings.bytesPassword === null) return bytesUnset('BYTES_PASSWORD');
    return createBytes(client, { username: settings.bytesUser, password: settings.bytesPassword }, time.now);
  }
}

async function unset(variable: string): Promise<never> {
  throw new RotaError('SERVICE_UNAVAILABLE', `${variable} is not set`, { fields: { variable } });
}

function katalogusUnset(): Katalogus {
  const ask = () => unset('KATALOGUS_API');
  return { organisations: ask, knows: ask, plugins: ask, boefjeConfigs: ask };
}

function octopoesUnset(): Octopoes {
  const ask = () => unset('OCTOPOES_API');
  return {
    // oxlint-disable-next-line require-yield -- it fails before there is anything to yield
    async *objects() {
      await ask();
    },
    objectsByReference: ask,
    objectClients: ask,
  };
}

function bytesUnset(variable: string): Bytes {
  return { lastRun: () => unset(variable), lastRuns: () => unset(variable) };
}
