import type { KatServices, Ooi, Organisation, Plugin } from '../../src/kat/kat.ts';
import { FailureError } from '../../src/mailbox/failure.ts';
import type { Ports } from './ports.ts';

/** An organisation as the fake KAT has it. */
export interface FakeOrganisation {
  readonly plugins: readonly Plugin[];
  readonly objects?: readonly Ooi[];
  readonly deduplicate?: boolean;
}

/** Katalogus, Octopoes and Bytes over the content of `ports`; every call is noted there and may meet its outage. */
export function katPorts(ports: Ports): KatServices {
  const call = (name: string, organisation: string | null, request: unknown) => {
    ports.asked.push({ name, request });
    ports.outage(name, organisation, request);
  };
  const objectsOf = (organisation: string) => ports.organisations[organisation]?.objects ?? [];
  const lastRun: KatServices['bytes']['lastRun'] = async (query) => {
    call('lastRun', query.organisation, query);
    const known = ports.runs.find(
      (it) => it.organisation === query.organisation && it.boefje === query.boefje && it.inputOoi === query.inputOoi,
    );
    return known?.run ?? null;
  };

  return {
    katalogus: {
      organisations: async () => {
        call('organisations', null, null);
        return new Map(
          Object.entries(ports.organisations).map(([id, { deduplicate }]): [string, Organisation] => [
            id,
            { id, name: id, deduplicate: deduplicate ?? false },
          ]),
        );
      },
      knows: async (organisation) => {
        call('knows', organisation, organisation);
        return ports.organisations[organisation] !== undefined;
      },
      plugins: async (organisation) => {
        call('plugins', organisation, organisation);
        const known = ports.organisations[organisation];
        if (known === undefined) return null;
        const readable = new Map(known.plugins.map((plugin) => [plugin.id, plugin]));
        return Object.assign(readable, { unreadable: new Set(ports.unreadable) });
      },
      boefjeConfigs: async (organisation, boefje) => {
        call('boefjeConfigs', organisation, { organisation, boefje });
        return ports.configs.filter((it) => it.organisationId === organisation && it.boefjeId === boefje);
      },
    },
    octopoes: {
      objects: (organisation, query) => {
        const { pageSize } = ports;
        return (async function* pages() {
          const found = objectsOf(organisation).filter(
            (ooi) => query.types.includes(ooi.objectType) && query.scanLevels.includes(ooi.scanLevel ?? -1),
          );
          for (let from = 0; from < found.length; from += pageSize) {
            call('objects', organisation, query);
            yield found.slice(from, from + pageSize);
          }
        })();
      },
      objectsByReference: async (organisation, references) => {
        call('objectsByReference', organisation, references);
        const wanted = new Set(references);
        return new Map(
          objectsOf(organisation)
            .filter((ooi) => wanted.has(ooi.primaryKey))
            .map((ooi) => [ooi.primaryKey, ooi]),
        );
      },
      objectClients: async (reference, organisations) => {
        call('objectClients', null, { reference, organisations });
        return new Map(
          organisations.flatMap((organisation) =>
            objectsOf(organisation)
              .filter((ooi) => ooi.primaryKey === reference)
              .map((ooi): [string, Ooi] => [organisation, ooi]),
          ),
        );
      },
    },
    bytes: {
      lastRun,
      lastRuns: async ({ boefjes, ...about }) =>
        new Map(await Promise.all(boefjes.map(async (id) => [id, await lastRun({ ...about, boefje: id })] as const))),
    },
  };
}

/** An enabled boefje of level 1 that consumes host names, by default. */
export function boefje(id: string, fields: Partial<Plugin> = {}): Plugin {
  return {
    id,
    type: 'boefje',
    name: id,
    version: null,
    enabled: true,
    consumes: ['Hostname'],
    produces: [],
    scanLevel: 1,
    cron: null,
    interval: null,
    runOn: null,
    ociImage: 'openkat/generic',
    deduplicate: true,
    ...fields,
  };
}

export function normalizer(id: string, consumes: readonly string[], fields: Partial<Plugin> = {}): Plugin {
  return { ...boefje(id), type: 'normalizer', consumes, scanLevel: 0, ociImage: null, ...fields };
}

export function hostname(name: string, scanLevel: number | null = 2): Ooi {
  return { primaryKey: `Hostname|internet|${name}`, objectType: 'Hostname', scanLevel };
}

export function outageOf(service: string): FailureError {
  return new FailureError({ code: 'SERVICE_UNAVAILABLE', message: `${service} does not answer`, retryable: true });
}

export function rejectionOf(service: string): FailureError {
  return new FailureError({ code: 'SERVICE_REJECTED', message: `${service} answers nonsense`, retryable: true });
}
