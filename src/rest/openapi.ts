import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { App } from './app.ts';
import asyncApi from './asyncapi.json' with { type: 'json' };
import { accessOf } from './access.ts';

/**
 * `/openapi.json`, made from the schemas that validate, and `/asyncapi.json`, the same of Rota over NATS. Register it before the
 * routes.
 *
 * @param secured whether tokens are configured: the document then has the role of each operation
 */
export async function installOpenApi(app: App, version: string, secured: boolean): Promise<void> {
  const bearer = { type: 'http', scheme: 'bearer', description: '`rota token new` makes one' } as const;
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Scheduler', description, version },
      ...(secured ? { components: { securitySchemes: { bearer } } } : {}),
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => {
      const tidied = tidy(jsonSchemaTransformObject(document) as OpenApi);
      return secured ? withRoles(tidied) : tidied;
    },
  });
  app.get('/openapi.json', { schema: { hide: true } }, (_request, reply) => reply.send(app.swagger()));
  app.get('/asyncapi.json', { schema: { hide: true } }, (_request, reply) => reply.send(asyncApi));
}

const description = 'Rota’s REST API. What workers and operators use over NATS is in [asyncapi.json](/asyncapi.json).';

/** `/docs`: Swagger's page of the document. */
export async function installDocs(pages: App): Promise<void> {
  await pages.register(swaggerUi, { routePrefix: '/docs' });
}

type OpenApi = ReturnType<App['swagger']> & {
  components: { schemas: Record<string, unknown> };
  paths: Record<string, Record<string, Operation>>;
};

interface Operation {
  requestBody?: RequestBody;
  security?: readonly Readonly<Record<string, readonly string[]>>[];
  'x-role'?: string;
}

interface RequestBody {
  required?: boolean;
  readonly content: Readonly<Record<string, { readonly schema?: { readonly type?: unknown } }>>;
}

/** Named answers are listed once, not as inputs too; a body that may be null may be absent. */
function tidy(document: OpenApi): OpenApi {
  const { schemas } = document.components;
  for (const name of Object.keys(schemas)) {
    if (name.endsWith('Input') && name.slice(0, -'Input'.length) in schemas) delete schemas[name];
  }
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
    const body = operation.requestBody;
    const type = body?.content['application/json']?.schema?.type;
    if (body !== undefined && Array.isArray(type) && type.includes('null')) body.required = false;
  }
  return document;
}

/** Generated clients learn which operations need a token, and people which role. */
function withRoles(document: OpenApi): OpenApi {
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const access = accessOf[`${method.toUpperCase()} ${path.replaceAll('{', ':').replaceAll('}', '')}`];
      operation.security = access === 'open' ? [] : [{ bearer: [] }];
      if (access !== undefined && access !== 'open') operation['x-role'] = access;
    }
  }
  return document;
}
