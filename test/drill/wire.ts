import { connect, ErrorCode, Events, type NatsConnection, NatsError } from 'nats';
import type { Answer, Answers, Kind } from './answers.ts';

const subjects = { push: 'rota.push.', pop: 'rota.pop.', patch: 'rota.task.patch', heartbeat: 'rota.task.heartbeat' };

/** Connections that are lost, and not back yet. */
const lost = new WeakSet<NatsConnection>();

/** A connection that comes back by itself, and of which is known whether it is there. */
export async function connectNats(servers: readonly string[]): Promise<NatsConnection> {
  const nats = await connect({ servers: [...servers], maxReconnectAttempts: -1, reconnectTimeWait: 200 });
  void (async () => {
    for await (const { type } of nats.status()) {
      if (type === Events.Disconnect) lost.add(nats);
      if (type === Events.Reconnect) lost.delete(nats);
    }
  })();
  return nats;
}

/** One request over NATS as docs/workers.md has it. Never throws: the outcome says what came. */
export function askNats(
  nats: NatsConnection,
  answers: Answers,
  request: {
    readonly kind: Kind;
    readonly scheduler?: string;
    readonly waitMs?: number;
    readonly gone?: AbortSignal;
    readonly body: object;
  },
): Promise<Answer> {
  const { kind, scheduler = '', waitMs = 0, gone, body } = request;
  return answers.record({ kind, via: 'nats', to: null, waitMs, gone }, async (timeout) => {
    // The library takes what is published now, and drops it when it dials again: it never left this process.
    if (lost.has(nats)) return { outcome: 'cut', status: 0, detail: 'not sent: no connection', body: null };
    try {
      const reply = await nats.request(subjects[kind] + scheduler, JSON.stringify(body), { timeout });
      const status = Number(reply.headers?.get('Nats-Service-Error-Code') || 200);
      const detail = reply.headers?.get('Nats-Service-Error') ?? '';
      return { outcome: status === 200 ? 'ok' : 'refused', status, detail, body: reply.json() };
    } catch (error) {
      const is = (code: string) => error instanceof NatsError && error.code === code;
      if (is(ErrorCode.NoResponders)) return { outcome: 'refused', status: 503, detail: 'no responders', body: null };
      const silent = is(ErrorCode.Timeout);
      return { outcome: silent ? 'silent' : 'cut', status: 0, detail: String(error), body: null };
    }
  });
}

/** One request to the REST API of supervisor `to`. Never throws. */
export function askRest(
  answers: Answers,
  request: {
    readonly kind: Kind;
    readonly to: number;
    readonly url: string;
    readonly method?: 'POST' | 'PATCH';
    readonly waitMs?: number;
    readonly body: object | null;
  },
): Promise<Answer> {
  const { kind, to, url, method = 'POST', waitMs = 0, body } = request;
  return answers.record({ kind, via: 'rest', to, waitMs }, async (timeout) => {
    try {
      const response = await fetch(url, {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeout),
      });
      const text = await response.text();
      const { ok, status } = response;
      return { outcome: ok ? 'ok' : 'refused', status, detail: ok ? '' : text, body: parsed(text) };
    } catch (error) {
      const silent = error instanceof DOMException && error.name === 'TimeoutError';
      return { outcome: silent ? 'silent' : 'cut', status: 0, detail: String(error), body: null };
    }
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
