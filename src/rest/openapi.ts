import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { App } from './app.ts';

/** `/openapi.json` and `/docs`, made from the schemas that validate. Register it before the routes. */
export async function installOpenApi(app: App, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title: 'Scheduler', description: "Rota's REST API", version } },
    transform: jsonSchemaTransform,
    transformObject: (document) => tidy(jsonSchemaTransformObject(document) as OpenApi),
  });
  await app.register(swaggerUi, { routePrefix: '/docs' });
  app.get('/openapi.json', { schema: { hide: true } }, (_request, reply) => reply.send(app.swagger()));
}

type OpenApi = ReturnType<App['swagger']> & {
  components: { schemas: Record<string, unknown> };
  paths: Record<string, Record<string, { requestBody?: RequestBody }>>;
};

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
