import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { boefjes, normalizers } from './plugins.ts';
import { ooiOf, simulatedTypes, type World } from './world.ts';

interface Common {
  Params: { organisation: string };
  Querystring: {
    valid_time?: string;
    types?: string | string[];
    scan_level?: string | string[];
    reference?: string;
    clients?: string | string[];
    offset?: string;
    limit?: string;
  };
}

/** Octopoes over HTTP: kat-contract §6. Every read needs a time-zone aware `valid_time`. */
export function octopoesRoutes(world: World): (app: FastifyInstance) => void {
  const nodeOf = (organisation: string) => {
    const found = world.organisations.get(organisation);
    return found?.nodeless === true ? undefined : found;
  };
  const health = { service: 'octopoes', healthy: true, version: '1.0.0', additional: null, results: [] };
  return (app) => {
    app.get('/health', () => health);
    app.get<Common>('/:organisation/health', (request, reply) =>
      nodeOf(request.params.organisation) === undefined ? unknownNode(request, reply) : health,
    );

    app.get<Common>('/:organisation/objects', { preHandler: validTime }, (request, reply) => {
      const organisation = nodeOf(request.params.organisation);
      if (organisation === undefined) return unknownNode(request, reply);
      const types = [request.query.types ?? []].flat();
      const unknown = types.find((type) => !knownTypes.has(type));
      if (unknown !== undefined) return reply.code(400).send({ detail: `Type not found: ${unknown}` });
      const levels = [request.query.scan_level ?? []].flat().map(Number);
      const found = [...organisation.objects.values()].filter(
        (object) =>
          (types.length === 0 || types.includes(object.objectType)) &&
          (levels.length === 0 || (object.level !== null && levels.includes(object.level))),
      );
      const offset = Number(request.query.offset ?? 0);
      const window = found.slice(offset, offset + Number(request.query.limit ?? 50));
      return { count: found.length, items: window.map(ooiOf) };
    });

    app.get<Common>('/:organisation/object', { preHandler: validTime }, (request, reply) => {
      const reference = request.query.reference;
      if (reference === undefined) return reply.code(422).send(missing('reference'));
      const object = nodeOf(request.params.organisation)?.objects.get(reference);
      if (object === undefined) return reply.code(404).send({ detail: `Object not found: ${reference}` });
      return ooiOf(object);
    });

    app.post<Common & { Body: string[] }>(
      '/:organisation/objects/load_bulk',
      { preHandler: validTime },
      (request, reply) => {
        const organisation = nodeOf(request.params.organisation);
        if (organisation === undefined) return unknownNode(request, reply);
        const found = request.body.flatMap((reference) => organisation.objects.get(reference) ?? []);
        return Object.fromEntries(found.map((object) => [object.reference, ooiOf(object)]));
      },
    );

    app.get<Common>('/object-clients', { preHandler: validTime }, (request, reply) => {
      const reference = request.query.reference;
      if (reference === undefined) return reply.code(422).send(missing('reference'));
      // With one client without a node, Octopoes answers 404 for all.
      const clients = [request.query.clients ?? []].flat();
      const nodeless = clients.find((client) => nodeOf(client) === undefined);
      if (nodeless !== undefined) return reply.code(404).send({ detail: `Node not found: ${nodeless}` });
      const holders = clients.flatMap((client) => {
        const object = nodeOf(client)?.objects.get(reference);
        return object === undefined ? [] : [[client, ooiOf(object)] as const];
      });
      return Object.fromEntries(holders);
    });
  };
}

/** The types that Octopoes has a model for: those of the world, and those that plug-ins consume or produce. */
const knownTypes: ReadonlySet<string> = new Set([
  ...simulatedTypes,
  'Network',
  ...boefjes().flatMap((boefje) => boefje.consumes),
  ...normalizers().flatMap((normalizer) => normalizer.produces),
]);

async function validTime(request: FastifyRequest, reply: FastifyReply) {
  const value = (request.query as Common['Querystring']).valid_time;
  if (value === undefined) return reply.code(422).send(missing('valid_time'));
  // A plus sign that was not percent-encoded arrives as a space; FastAPI refuses that too.
  const aware = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/i.test(value);
  if (!aware || Number.isNaN(Date.parse(value))) {
    const msg = 'Input should have timezone info';
    return reply.code(422).send(invalidQuery('valid_time', 'timezone_aware', msg, value));
  }
}

/** FastAPI's answer to a query parameter that is missing or wrong. */
function invalidQuery(name: string, type: string, msg: string, input: unknown = null) {
  return { detail: [{ type, loc: ['query', name], msg, input }] };
}

function missing(name: string) {
  return invalidQuery(name, 'missing', 'Field required');
}

function unknownNode(request: FastifyRequest, reply: FastifyReply) {
  const { organisation } = request.params as Common['Params'];
  return reply.code(404).send({ detail: `Node not found: ${organisation}` });
}
