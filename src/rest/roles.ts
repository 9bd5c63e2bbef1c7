import type { Role } from '../api-tokens.ts';

/**
 * Which role a route needs, once for all routes: one that is not here is not served (test/rest/roles.test.ts). `open` asks
 * for no token: probes of orchestrators carry none, and the log-in is how a browser gets to carry one. What a document is may
 * be seen with the cookie of the log-in too, which opens nothing else.
 */
export type Access = Role | 'open' | 'document';

export const accessOf: Readonly<Record<string, Access>> = {
  'GET /health': 'open',
  'GET /ready': 'open',
  'GET /login': 'open',
  'POST /login': 'open',

  'GET /docs': 'document',
  'GET /docs/': 'document',
  'GET /docs/json': 'document',
  'GET /docs/yaml': 'document',
  'GET /docs/static/*': 'document',
  'HEAD /docs/static/*': 'document',
  'GET /docs/static/index.html': 'document',
  'GET /docs/static/swagger-initializer.js': 'document',
  'GET /openapi.json': 'document',

  'GET /': 'read',
  'GET /metrics': 'read',
  'GET /schedulers': 'read',
  'GET /schedulers/:scheduler_id': 'read',
  'GET /tasks': 'read',
  // A list: its filters are a body.
  'POST /tasks': 'read',
  'GET /tasks/stats': 'read',
  'GET /tasks/:task_id': 'read',
  'GET /schedules': 'read',
  'GET /schedules/:schedule_id': 'read',
  'POST /schedules/search': 'read',

  'POST /schedulers/:scheduler_id/pop': 'work',
  'POST /schedulers/:scheduler_id/push': 'work',
  // What runners report of a task that is handed out; the rest of a patch is an operator's (src/rest/tasks.ts).
  'PATCH /tasks/:task_id': 'work',

  'POST /schedules': 'operate',
  'PATCH /schedules/:schedule_id': 'operate',
  'DELETE /schedules/:schedule_id': 'operate',
};
