import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ServiceSettings, Time } from '../../src/kat/request.ts';

export interface Received {
  readonly method: string;
  /** As it came over the wire: still encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Reply = { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: unknown };

/** A real HTTP server on loopback that answers as the test says and remembers what it was asked. */
export async function startDouble(
  answer: (request: Received, response: ServerResponse) => Reply | null | Promise<Reply | null>,
) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const [path, query] = (request.url ?? '').split('?');
      const seen: Received = {
        method: request.method ?? '',
        path: path!,
        query: new URLSearchParams(query),
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      received.push(seen);
      void (async () => {
        const reply = await answer(seen, response);
        // Null: the test answers by itself, or never.
        if (reply === null) return;
        response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers });
        response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? null));
      })();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    received,
    settings: (overrides: Partial<ServiceSettings> = {}): ServiceSettings => ({
      url,
      timeoutMs: 5_000,
      connections: 10,
      ...overrides,
    }),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Clocks that move only by sleeping on them, at once, or by hand. */
export function fakeTime(): Time & { slept: number[]; advance(ms: number): void } {
  let now = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    today: () => Date.parse('2025-05-27T09:00:00Z') + now,
    advance: (ms) => {
      now += ms;
    },
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
    },
  };
}
