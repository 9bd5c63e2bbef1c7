import type { BoefjeMeta } from './events.ts';

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
      // 400: it has this run already, from before the task came back.
      if (!meta.ok && meta.status !== 400) throw new Error(`Bytes does not take the run: ${meta.status}`);
      const file = { name: run.id, content: btoa('simulated'), tags: mimeTypes };
      const raw = await post(`/bytes/raw?boefje_meta_id=${run.id}`, { status, files: [file] });
      if (!raw.ok) throw new Error(`Bytes does not take the raw file: ${raw.status}`);
    },
  };
}
