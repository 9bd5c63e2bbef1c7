import { afterAll, beforeAll, expect, test } from 'vitest';
import { serve, type Served } from './double.ts';

let served: Served;
interface Operation {
  parameters?: { name: string; in: string }[];
  requestBody?: { required?: boolean };
  responses: Record<string, unknown>;
}
let paths: Record<string, Record<string, Operation>>;

beforeAll(async () => {
  served = await serve();
  const response = await fetch(`${served.url}/openapi.json`);
  ({ paths } = (await response.json()) as { paths: typeof paths });
});
afterAll(() => served.server.close());

/** mula's own document, less what it says of types. */
const ofMula: Record<string, string> = {
  'get /': '',
  'get /health': 'externals',
  'get /metrics': '',
  'get /schedulers': '',
  'get /schedulers/{scheduler_id}': 'scheduler_id',
  'post /schedulers/{scheduler_id}/push': 'scheduler_id',
  'post /schedulers/{scheduler_id}/pop': 'scheduler_id limit',
  'get /tasks': 'scheduler_id organisation task_type status offset limit min_created_at max_created_at',
  'post /tasks': 'scheduler_id organisation task_type status offset limit min_created_at max_created_at',
  'get /tasks/stats': 'scheduler_id organisation_id',
  'get /tasks/{task_id}': 'task_id',
  'patch /tasks/{task_id}': 'task_id',
  'get /schedules':
    'scheduler_id organisation schedule_hash enabled offset limit min_deadline_at max_deadline_at min_created_at max_created_at',
  'post /schedules': '',
  'post /schedules/search': 'offset limit',
  'get /schedules/{schedule_id}': 'schedule_id',
  'patch /schedules/{schedule_id}': 'schedule_id',
  'delete /schedules/{schedule_id}': 'schedule_id',
};

test.each(Object.entries(ofMula))('the document has what mula has: %s', (operation, parameters) => {
  const [method, path] = operation.split(' ') as [string, string];
  const names = (paths[path]?.[method]?.parameters ?? []).map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(parameters.split(' ').filter(Boolean)));
  expect(paths[path]).toHaveProperty(method);
});

test('the body of a pop may be absent, that of a search may not', () => {
  expect(paths['/schedulers/{scheduler_id}/pop']?.['post']?.requestBody?.required).toBe(false);
  expect(paths['/schedules/search']?.['post']?.requestBody?.required).toBe(true);
});

test('the document has what mula has not: the weight that a request sets, with its bounds', () => {
  const operation = paths['/weights/{scheduler_id}/{organisation}'];
  expect(operation?.['put']).toMatchObject({
    parameters: [{ name: 'scheduler_id' }, { name: 'organisation', schema: { maxLength: 512 } }],
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: {
            properties: { weight: { type: 'number', minimum: 0.001, maximum: 1_000 } },
            required: ['weight'],
            additionalProperties: false,
          },
        },
      },
    },
  });
  expect(Object.keys({ ...operation, ...paths['/weights'] }).toSorted()).toEqual(['delete', 'get', 'put']);
});

test('the documentation page is served', async () => {
  const response = await fetch(`${served.url}/docs`);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')]);
});

test('the document of Rota over NATS is beside it, and the docs page links to it', async () => {
  const { info } = (await (await fetch(`${served.url}/openapi.json`)).json()) as { info: { description: string } };
  const [, link] = /\]\((.*)\)/.exec(info.description)!;
  const answer = await fetch(new URL(link!, served.url));
  expect(answer.headers.get('content-type')).toBe('application/json');
  const { asyncapi, channels } = (await answer.json()) as { asyncapi: string; channels: Record<string, unknown> };
  expect([asyncapi, Object.keys(channels)]).toEqual(['3.0.0', expect.arrayContaining(['pop', 'push', 'task-event'])]);
});
