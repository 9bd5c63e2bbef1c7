import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { NatsError, type NatsConnection } from 'nats';
import { connectNats } from '../../../src/nats/connect.ts';
import { type RotaClient, connectRota } from '../../../src/nats/client.ts';
import { latestAnswerMs, judged } from '../edge.ts';

interface Answer {
  /** 0 where there was none. */
  readonly status: number;
  readonly bytes: number;
  readonly text: string;
  /** What no answer may be. */
  readonly fault: string | undefined;
}

/** Where a hostile client finds the supervisor and what is around it. */
export interface Target {
  readonly api: string;
  readonly natsUrl: string;
  readonly amqpUrl: string;
  readonly databaseUrl: string;
  readonly prefix: string;
  readonly organisation: string;
}

const cli = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url));

/** A hostile client, with what it needs: its own connection, requests whose answers are judged. */
export class Actor {
  readonly target: Target;
  readonly nats: NatsConnection;
  /** Beside its own connection: what a worker or an actor of KAT would do. */
  readonly client: RotaClient;

  private constructor(target: Target, nats: NatsConnection, client: RotaClient) {
    this.target = target;
    this.nats = nats;
    this.client = client;
  }

  static async connect(target: Target): Promise<Actor> {
    const { natsUrl, prefix } = target;
    const nats = await connectNats({ servers: natsUrl, name: 'fuzz-row' });
    return new Actor(target, nats, await connectRota({ servers: natsUrl, prefix }));
  }

  async ask(subject: string, body: unknown, waitMs = 0): Promise<Answer> {
    const began = performance.now();
    const payload = typeof body === 'string' ? body : JSON.stringify(body);
    try {
      const reply = await this.nats.request(`${this.target.prefix}.${subject}`, payload, {
        timeout: latestAnswerMs + waitMs,
      });
      const status = Number(reply.headers?.get('Nats-Service-Error-Code') || 200);
      const detail = reply.headers?.get('Nats-Service-Error') ?? '';
      return answerOf(`${subject}: `, { status, text: reply.string(), bytes: reply.data.length, began, detail });
    } catch (error) {
      const code = error instanceof NatsError ? error.code : String(error);
      return { status: 0, bytes: 0, text: '', fault: `${subject}: no answer (${code})` };
    }
  }

  async rest(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer> {
    const began = performance.now();
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const at = `${method} ${path.slice(0, 40)}: `;
    try {
      const response = await fetch(this.target.api + path, {
        method,
        ...(text === undefined ? {} : { body: text, headers: { 'content-type': 'application/json', ...headers } }),
        signal: AbortSignal.timeout(60_000),
      });
      const answer = await response.text();
      return answerOf(at, {
        status: response.status,
        text: answer,
        bytes: Buffer.byteLength(answer),
        began,
        detail: answer,
      });
    } catch (error) {
      const { cause, name } = error as { cause?: { code?: string }; name: string };
      return { status: 0, bytes: 0, text: '', fault: `${at}no answer (${cause?.code ?? name})` };
    }
  }

  /** The command line, as an operator types it. */
  async rota(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<string> {
    const { natsUrl, prefix } = this.target;
    const env = { PATH: process.env['PATH'], NATS_URL: natsUrl, SCHEDULER_NATS_PREFIX: prefix, ...environment };
    return new Promise((resolve) => {
      execFile(process.execPath, [cli, ...args], { env, timeout: 30_000 }, (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      );
    });
  }

  /** Asks how it is all the time; @returns what to call at the end, which says how often it was not ready. */
  watchReady(): () => string | undefined {
    let [asked, failed] = [0, 0];
    const timer = setInterval(() => {
      asked += 1;
      void this.#isReady().then((ready) => (failed += ready ? 0 : 1));
    }, 250);
    return () => {
      clearInterval(timer);
      return failed === 0 ? undefined : `/ready failed ${failed} of ${asked} times`;
    };
  }

  async #isReady(): Promise<boolean> {
    return fetch(`${this.target.api}/ready`, { signal: AbortSignal.timeout(3_000) }).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async close(): Promise<void> {
    await Promise.all([this.nats.close(), this.client.close()]);
  }
}

function answerOf(
  at: string,
  answer: { status: number; text: string; bytes: number; began: number; detail: string },
): Answer {
  const { status, text, bytes, began, detail } = answer;
  const ms = performance.now() - began;
  const { fault } = judged({ status, text, bytes, ms, detail });
  const late = ms > latestAnswerMs ? `answered ${status} after ${Math.round(ms / 1_000)} s` : undefined;
  const found = fault ?? late;
  return { status, bytes, text, fault: found === undefined ? undefined : at + found };
}

/** A fault unless it was refused. */
export function unlessRefused(answer: Answer, what: string): string | undefined {
  if (answer.fault !== undefined || answer.status >= 400) return answer.fault;
  return `${what} was taken (${answer.status})`;
}

/** A fault unless it was answered with what was asked for. */
export function unlessAnswered(answer: Answer): string | undefined {
  return answer.fault ?? (answer.status < 400 ? undefined : `answered ${answer.status}: ${answer.text.slice(0, 120)}`);
}
