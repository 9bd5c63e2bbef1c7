import { Agent, request } from 'node:http';

/** One REST answer: what of it a load generator looks at. */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** Keep-alive connections, as KAT's runners have them. `fetch` costs three times the CPU of this. */
export function httpClient(base: string, connections: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const { hostname, port } = new URL(base);
  return {
    send(
      method: string,
      path: string,
      body: string | null,
      answered: (answer: HttpAnswer) => void,
      failed: (error: unknown) => void,
    ): void {
      const headers =
        body === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const sent = request({ hostname, port, method, path, agent, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.once('end', () => answered({ status: response.statusCode ?? 0, text }));
      });
      sent.once('error', failed);
      sent.end(body ?? undefined);
    },
    close: () => agent.destroy(),
  };
}

export type HttpClient = ReturnType<typeof httpClient>;
