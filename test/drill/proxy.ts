import { connect, createServer, type Server, type Socket } from 'node:net';

type Direction = 'to-server' | 'to-client';

/** A TCP proxy on loopback that breaks links as networks do: it cuts, hangs, drops one direction, and slows down. */
export class Proxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #target: number;
  #refusing = false;
  #silent = false;
  #delayMs = 0;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer({ pauseOnConnect: true }, (client) => this.#accept(client));
  }

  static async start(target: number): Promise<Proxy> {
    const proxy = new Proxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Where new connections lead from now on; those that are open stay where they are. */
  lead(target: number): void {
    this.#target = target;
  }

  /** Ends every connection with a RST. */
  cut(): void {
    for (const link of this.#links) link.reset();
  }

  /** Cuts, and refuses until `mend`. */
  refuse(): void {
    this.#refusing = true;
    this.cut();
  }

  /** Nothing passes and nothing ends, FIN and RST included. New connections work, or are as silent as the others. */
  hang(fresh: 'silent' | 'work'): void {
    this.#silent = fresh === 'silent';
    for (const link of this.#links) link.hang();
  }

  /** What goes that way is lost, on the connections that are open; the other way works, and new connections do. */
  drop(direction: Direction): void {
    for (const link of this.#links) link.drop(direction);
  }

  /** Each piece arrives so much later. */
  slow(ms: number): void {
    this.#delayMs = ms;
  }

  /** Everything passes again. A connection of which something was lost is reset. */
  mend(): void {
    this.#refusing = false;
    this.#silent = false;
    this.#delayMs = 0;
    for (const link of this.#links) link.mend();
  }

  async stop(): Promise<void> {
    this.#refusing = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.#refusing) {
      client.resetAndDestroy();
      return;
    }
    const link = new Link(client, this.#target, this.#silent, () => this.#delayMs);
    this.#links.add(link);
    client.once('close', () => this.#links.delete(link));
  }
}

class Link {
  readonly #client: Socket;
  readonly #upstream: Socket | null;
  readonly #delay: () => number;
  readonly #dropped = new Set<Direction>();
  #hung = false;

  constructor(client: Socket, target: number, silent: boolean, delay: () => number) {
    this.#client = client;
    this.#delay = delay;
    this.#hung = silent;
    this.#upstream = silent ? null : connect(target, '127.0.0.1');
    if (this.#upstream === null) return;
    client.setNoDelay(true);
    this.#upstream.setNoDelay(true);
    this.#forward(client, this.#upstream, 'to-server');
    this.#forward(this.#upstream, client, 'to-client');
    client.resume();
  }

  /** A paused socket reads neither bytes nor FIN: its peer's end stays unknown to the other side. */
  hang(): void {
    this.#hung = true;
    this.#client.pause();
    this.#upstream?.pause();
  }

  drop(direction: Direction): void {
    this.#dropped.add(direction);
  }

  mend(): void {
    if (this.#upstream === null || this.#dropped.size > 0) return this.reset();
    if (!this.#hung) return;
    this.#hung = false;
    this.#client.resume();
    this.#upstream.resume();
  }

  reset(): void {
    this.#hung = false;
    for (const socket of [this.#client, this.#upstream]) {
      if (socket?.connecting === false && !socket.destroyed) socket.resetAndDestroy();
      else socket?.destroy();
    }
  }

  #forward(from: Socket, to: Socket, direction: Direction): void {
    // Whichever timer fires first, what came first goes first: bytes in another order would be a fault that no network makes.
    const waiting: (() => void)[] = [];
    const later = (act: () => void) => {
      const delay = this.#delay();
      if (delay === 0 && waiting.length === 0) return act();
      waiting.push(act);
      setTimeout(() => waiting.shift()!(), delay);
    };
    from.on('error', () => {});
    from.on('data', (chunk: Buffer) => {
      if (this.#dropped.has(direction)) return;
      later(() => {
        if (to.destroyed || to.write(chunk)) return;
        from.pause();
        to.once('drain', () => {
          if (!this.#hung) from.resume();
        });
      });
    });
    from.once('close', () => {
      if (!this.#hung) later(() => to.destroy());
    });
  }
}
