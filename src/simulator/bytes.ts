import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type BoefjeMeta, type EventPublisher, rawFileReceived } from './events.ts';

/** The contents of the simulated Bytes: runs of boefjes by id, in the order in which they came. */
export interface BytesStore {
  readonly runs: Map<string, BoefjeMeta>;
  /** Raw files: id of the run → mime types (sorted, joined) → id of the raw file. */
  readonly raws: Map<string, Map<string, string>>;
}

export function createBytesStore(): BytesStore {
  return { runs: new Map(), raws: new Map() };
}

/** The oldest runs go first: a KAT that runs for days would grow without end. About 1 kB each. */
const mostRuns = 50_000;

interface BytesOptions {
  readonly username: string;
  readonly password: string;
  /** Publishes raw_file_received; without it Bytes announces nothing. */
  readonly publisher?: EventPublisher;
}

interface MetaQuery {
  organization?: string;
  boefje_id?: string;
  input_ooi?: string;
  limit?: string;
  offset?: string;
  descending?: string;
}

interface RawBody {
  status: 'COMPLETED' | 'FAILED';
  files: { name: string; content: string; tags: string[] }[];
}

const tokenSeconds = 15 * 60;

/** Bytes over HTTP: kat-contract §7, and the two calls with which runners store what a boefje found. */
export function bytesRoutes(store: BytesStore, tokens: Set<string>, options: BytesOptions) {
  const bearer = async (request: FastifyRequest, reply: FastifyReply) => {
    const token = request.headers.authorization?.replace(/^Bearer /i, '');
    if (token !== undefined && tokens.has(token)) return;
    return reply.code(401).header('WWW-Authenticate', 'Bearer').send({ detail: 'Could not validate credentials' });
  };

  return (app: FastifyInstance) => {
    app.get('/health', () => ({ service: 'bytes', healthy: true, version: '1.0.0', additional: null, results: [] }));

    app.post<{ Body: { username?: string; password?: string } }>('/token', (request, reply) => {
      const { username, password } = request.body ?? {};
      if (username !== options.username || password !== options.password) {
        return reply.code(401).send({ detail: 'Incorrect username or password' });
      }
      const token = `eyJhbGciOiJIUzI1NiJ9.${randomUUID()}.simulated`;
      tokens.add(token);
      const expires_at = new Date(Date.now() + tokenSeconds * 1_000).toISOString();
      return { access_token: token, token_type: 'bearer', expires_at };
    });

    app.get<{ Querystring: MetaQuery }>('/bytes/boefje_meta', { preHandler: bearer }, (request) => {
      const { organization, boefje_id, input_ooi, descending } = request.query;
      const found = [...store.runs.values()]
        .filter(
          (run) =>
            (organization === undefined || run.organization === organization) &&
            (boefje_id === undefined || run.boefje.id === boefje_id) &&
            (input_ooi === undefined || input_ooi === '' || run.input_ooi === input_ooi),
        )
        .sort((a, b) => Date.parse(a.ended_at) - Date.parse(b.ended_at));
      if (descending !== 'false') found.reverse();
      const offset = Number(request.query.offset ?? 0);
      return found.slice(offset, offset + Number(request.query.limit ?? 1));
    });

    app.post<{ Body: BoefjeMeta }>('/bytes/boefje_meta', { preHandler: bearer }, (request, reply) => {
      if (store.runs.has(request.body.id)) {
        const message = 'Integrity error: object might already exist';
        return reply.code(400).send({ status: 'failed', message });
      }
      store.runs.set(request.body.id, request.body);
      if (store.runs.size > mostRuns) forget(store, store.runs.keys().next().value!);
      return reply.code(201).send({ status: 'success' });
    });

    app.post<{ Querystring: { boefje_meta_id: string }; Body: RawBody }>(
      '/bytes/raw',
      { preHandler: bearer },
      async (request, reply) => {
        const run = store.runs.get(request.query.boefje_meta_id);
        if (run === undefined) return reply.code(500).send({ detail: 'Could not save raw data' });
        const raws = store.raws.get(run.id) ?? new Map<string, string>();
        store.raws.set(run.id, raws);
        const ids: Record<string, string> = {};
        for (const file of request.body.files) {
          const kinds = [...file.tags].sort().join(' ');
          const known = raws.get(kinds);
          ids[file.name] = known ?? randomUUID();
          // A run has one raw file per set of mime types: storing it again is answered with the first, without an event.
          if (known !== undefined) continue;
          await options.publisher?.publish('raw_file_received', rawFileReceived(ids[file.name]!, run, file.tags));
          raws.set(kinds, ids[file.name]!);
        }
        return ids;
      },
    );
  };
}

function forget(store: BytesStore, run: string): void {
  store.runs.delete(run);
  store.raws.delete(run);
}

/** How a runner stores what a boefje found. */
export interface BytesClient {
  /** Storing a run again is fine: Bytes keeps the first. Rejects when Bytes does not take it. */
  store(run: BoefjeMeta, status: 'COMPLETED' | 'FAILED', mimeTypes: readonly string[]): Promise<void>;
}

export function bytesClient(url: string, credentials: { username: string; password: string }): BytesClient {
  let token: Promise<string> | null = null;

  const login = async () => {
    const response = await fetch(`${url}/token`, { method: 'POST', body: new URLSearchParams({ ...credentials }) });
    if (!response.ok) throw new Error(`Bytes refuses the login: ${response.status}`);
    return ((await response.json()) as { access_token: string }).access_token;
  };

  const post = async (path: string, body: unknown): Promise<Response> => {
    token ??= login();
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${await token}` };
    const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (response.status !== 401) return response;
    token = null;
    return post(path, body);
  };

  return {
    store: async (run, status, mimeTypes) => {
      const meta = await post('/bytes/boefje_meta', run);
      // 400: Bytes has this run already, from an earlier attempt at the task.
      if (!meta.ok && meta.status !== 400) throw new Error(`Bytes does not take the run: ${meta.status}`);
      const file = { name: run.id, content: btoa('simulated'), tags: mimeTypes };
      const raw = await post(`/bytes/raw?boefje_meta_id=${run.id}`, { status, files: [file] });
      if (!raw.ok) throw new Error(`Bytes does not take the raw file: ${raw.status}`);
    },
  };
}
