import type { FastifyInstance } from 'fastify';
import { boefjes, normalizers, type SimulatedPlugin } from './plugins.ts';
import type { SimulatedOrganisation, World } from './world.ts';

interface PluginQuery {
  plugin_type?: string;
  consumes?: string | string[];
  produces?: string | string[];
  ids?: string | string[];
  state?: string;
  oci_image?: string;
  q?: string;
  offset?: string;
  limit?: string;
}

interface ConfigQuery {
  organisation_id?: string;
  boefje_id?: string;
  enabled?: string;
  with_duplicates?: string;
  offset?: string;
  limit?: string;
}

/** Katalogus over HTTP: kat-contract §5. `deduplicate` is its own setting BOEFJES_DEDUPLICATE. */
export function katalogusRoutes(world: World, options: { deduplicate: boolean }): (app: FastifyInstance) => void {
  return (app) => {
    app.get('/health', () => ({
      service: 'katalogus',
      healthy: true,
      version: '1.0.0',
      additional: null,
      results: [],
    }));

    app.get('/v1/organisations', () =>
      Object.fromEntries([...world.organisations].map(([id, organisation]) => [id, organisationOf(organisation)])),
    );

    app.get<{ Params: { organisation: string } }>('/v1/organisations/:organisation', (request, reply) => {
      const organisation = world.organisations.get(request.params.organisation);
      if (organisation === undefined) return reply.code(404).send({ detail: 'Organisation not found' });
      return organisationOf(organisation);
    });

    app.get<{ Params: { organisation: string }; Querystring: PluginQuery }>(
      '/v1/organisations/:organisation/plugins',
      (request) => {
        const found = [...pluginsOf(world, request.params.organisation).values()].filter((plugin) =>
          matches(plugin, request.query),
        );
        return page(found, Number(request.query.offset ?? 0), Number(request.query.limit ?? found.length));
      },
    );

    app.get<{ Params: { organisation: string; plugin: string } }>(
      '/v1/organisations/:organisation/plugins/:plugin',
      (request, reply) => {
        const plugin = pluginsOf(world, request.params.organisation).get(request.params.plugin);
        return plugin ?? reply.code(404).send({ detail: 'Plugin not found' });
      },
    );

    app.get<{ Querystring: ConfigQuery }>('/v1/configs', (request) => {
      const { organisation_id: organisation, boefje_id: boefje, enabled } = request.query;
      const found = configsOf(world).filter(
        (config) =>
          (organisation === undefined || config.organisation_id === organisation) &&
          (boefje === undefined || config.boefje_id === boefje) &&
          (enabled === undefined || config.enabled === (enabled === 'true')),
      );
      const offset = Number(request.query.offset ?? 0);
      if (request.query.with_duplicates !== 'true' || !options.deduplicate) {
        return page(found, offset, Number(request.query.limit ?? 0) || found.length);
      }
      // With duplicates, Katalogus takes limit=0 for LIMIT 0: nothing.
      return page(found, offset, Number(request.query.limit ?? found.length)).map((config) => ({
        ...config,
        duplicates: duplicatesOf(world, config),
      }));
    });
  };
}

/** Katalogus does not check the organisation: the plug-ins that ship with KAT exist for any name. */
function pluginsOf(world: World, organisation: string): ReadonlyMap<string, SimulatedPlugin> {
  const shipped = () => new Map([...boefjes(), ...normalizers()].map((plugin) => [plugin.id, plugin]));
  return world.organisations.get(organisation)?.plugins ?? shipped();
}

function organisationOf({ id, name, deduplicate }: SimulatedOrganisation) {
  return { id, name, deduplicate };
}

function matches(plugin: SimulatedPlugin, query: PluginQuery): boolean {
  const consumes = [query.consumes ?? []].flat();
  const produces = [query.produces ?? []].flat();
  const ids = [query.ids ?? []].flat();
  return (
    (query.plugin_type === undefined || plugin.type === query.plugin_type) &&
    (query.state === undefined || plugin.enabled === (query.state === 'true')) &&
    (consumes.length === 0 || consumes.some((type) => plugin.consumes.includes(type))) &&
    (produces.length === 0 || produces.some((type) => plugin.produces.includes(type))) &&
    (ids.length === 0 || ids.includes(plugin.id)) &&
    (query.oci_image === undefined || (plugin.type === 'boefje' && plugin.oci_image === query.oci_image)) &&
    (query.q === undefined || plugin.name.toLowerCase().includes(query.q.toLowerCase()))
  );
}

function configsOf(world: World) {
  return [...world.organisations.values()]
    .flatMap(({ id: organisation_id, settings, plugins }) =>
      [...settings].map(([boefje_id, values]) => ({
        settings: values,
        enabled: plugins.get(boefje_id)?.enabled === true,
        boefje_id,
        organisation_id,
        duplicates: [] as object[],
      })),
    )
    .map((config, at) => ({ id: at + 1, ...config }));
}

/** Duplicates: the same boefje with equal settings, in other organisations that allow deduplication. */
function duplicatesOf(world: World, config: ReturnType<typeof configsOf>[number]) {
  const settings = JSON.stringify(config.settings);
  return configsOf(world).filter(
    (other) =>
      other.boefje_id === config.boefje_id &&
      other.organisation_id !== config.organisation_id &&
      world.organisations.get(other.organisation_id)?.deduplicate === true &&
      JSON.stringify(other.settings) === settings,
  );
}

/** The window that `offset` and `limit` cut out. */
function page<T>(all: readonly T[], offset: number, limit: number): readonly T[] {
  return all.slice(offset, offset + limit);
}
