import { type Command, Option } from 'commander';
import { type Config, natsAuthOf, readConfig } from '../config/config.ts';
import type { Access } from '../control/operator-command.ts';
import type { OperatorClient } from '../control/overview.ts';
import { connectRota, type RotaClient } from '../nats/client.ts';
import { operatorsFor } from '../nats/operators.ts';
import type { OperatorAnswers } from '../protocol/operator.ts';
import { type RemoteOptions, remoteCommand } from './remote.ts';
import { port } from './arguments.ts';
import { runUntilSignal } from './start.ts';
import { write, writeJson } from './terminal.ts';

/** What the page needs: src/cli.ts builds its server. */
export interface PageParts {
  readonly config: Config;
  readonly operatorsFor: (caller: { readonly by: string; readonly access: Access }) => OperatorClient;
  readonly place: string;
  readonly now: () => number;
}

/** Resolves once it listens. */
export type StartPage = (parts: PageParts) => Promise<{ readonly url: string; close(): Promise<void> }>;

interface PageOptions extends RemoteOptions {
  readonly host: string;
  readonly port: number;
}

export function pageCommand(startPage: StartPage): Command {
  return remoteCommand(
    'page',
    'serve the operations page over NATS alone: it outlives each supervisor, and costs none',
    'SCHEDULER_API_TOKENS_FILE=tokens rota page --host 0.0.0.0 --port 8001',
  )
    .addOption(
      new Option('--host <address>', 'address to listen at; with another than loopback it needs tokens')
        .env('SCHEDULER_PAGE_HOST')
        .default('127.0.0.1'),
    )
    .addOption(
      new Option('--port <port>', 'port to listen at; 0 takes a free one')
        .env('SCHEDULER_PAGE_PORT')
        .default(8001)
        .argParser(port),
    )
    .action(async (options: PageOptions) => {
      const config = readConfig({
        ...ofPage(process.env),
        SCHEDULER_PAGE_HOST: options.host,
        SCHEDULER_PAGE_PORT: String(options.port),
      });
      await runUntilSignal(
        (_config, { signal }) => serve(startPage, config, options, signal),
        config,
        {},
        ({ url }) => {
          if (options.json === true) writeJson({ ready: true, page: url });
          else write(`Rota's page is at ${url}\nCtrl-C ends it.\n`);
        },
      );
    });
}

/** A supervisor's variables may stand in the same environment: those of its database are none of the page. */
function ofPage(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const read = /^(?:NATS_(?!URL)|SCHEDULER_API_TO|SCHEDULER_API_TLS|SCHEDULER_PAGE_|SCHEDULER_LOGGING_|DEBUG$)/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => read.test(name)));
}

async function serve(startPage: StartPage, config: Config, options: PageOptions, signal: AbortSignal | undefined) {
  const client = await connectRota({
    servers: options.nats,
    prefix: options.prefix,
    timeoutMs: options.timeout,
    name: 'rota page',
    auth: natsAuthOf(config),
    retry: { told: (reason) => write(`rota: NATS does not answer, waiting for it: ${reason}\n`, 'err'), signal },
  });
  try {
    const clock = new AnsweredClock();
    await clock.ask(client);
    const operators = operatorsFor(client, null);
    const page = await startPage({
      config,
      operatorsFor: (caller) => clock.heardFrom(operators(caller)),
      place: options.prefix,
      now: clock.now,
    });
    return {
      url: page.url,
      async drain() {
        await page.close();
        await client.close();
      },
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** Longer, and the page starts by this machine's clock. */
const firstAnswerMs = 2_000;

/** The database's time, as supervisors answer it with their status: this machine may be an hour off. */
class AnsweredClock {
  #offset = Date.now() - performance.now();

  readonly now = (): number => performance.now() + this.#offset;

  async ask(client: RotaClient): Promise<void> {
    const options = { timeoutMs: firstAnswerMs, access: 'read' } as const;
    await client.ctl<OperatorAnswers['status']>('status', { max_age_seconds: 60 }, options).then(
      (status) => this.#hear(status),
      () => {},
    );
  }

  heardFrom(operators: OperatorClient): OperatorClient {
    return {
      ...operators,
      ask: async (command, body, instance) => {
        const answer = await operators.ask(command, body, instance);
        if (command === 'status') this.#hear(answer as OperatorAnswers['status']);
        return answer;
      },
    };
  }

  /** One of before has no time in its status. */
  #hear({ now }: Partial<OperatorAnswers['status']>): void {
    if (now !== undefined) this.#offset = Date.parse(now) - performance.now();
  }
}
