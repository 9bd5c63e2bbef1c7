import type { Socket } from 'node:net';

/** How long a socket may be silent before it is given up. */
export interface SilenceLimits {
  /** Until the login is over. */
  readonly loginMs: number;
  /** While an answer is owed. Longer than any statement may run: after that the server would have ended it, and said so. */
  readonly silenceMs: number;
  /** Asks whether the other end is there, where a statement may run for hours; rejects where it is not. */
  readonly ask: (() => Promise<void>) | null;
  /** Sockets of the same pool share it: what silences one, silences those beside it. */
  readonly pool: object;
}

const tickMs = 1_000;
const watched = new Set<SocketWatch>();
let ticking: NodeJS.Timeout | null = null;
/** Counted, not read off a clock: a process that was frozen has not listened, and must not take that time for silence. */
let tick = 0;

/**
 * Ends a socket to Postgres that owes an answer and is silent. A link that goes silent (a firewall that forgot it, a host that
 * is gone, a proxy or server that hangs) sends neither FIN nor RST: its statement would wait for good, and the pool would lose
 * a connection. TCP's own probes notice only a kernel that does not answer.
 *
 * It also ends the sockets of the same pool that have not been heard since, above all idle ones: a pool hands those out first,
 * and each would cost its statement another 20 s. An idle one that was sound is made anew when it is needed.
 *
 * Answers owed are counted in the protocol: each Sync and each simple query is answered by one ReadyForQuery. One hop a
 * message and one timer a process: 60 ns of CPU a statement, 5 ns a row.
 */
export function watchSilence(socket: Socket, limits: SilenceLimits): void {
  const watch = new SocketWatch(socket, limits);
  watched.add(watch);
  ticking ??= setInterval(look, tickMs).unref();
  socket.once('close', () => {
    watched.delete(watch);
    if (watched.size > 0 || ticking === null) return;
    clearInterval(ticking);
    ticking = null;
  });
}

function look(): void {
  tick += 1;
  for (const watch of watched) watch.look();
}

const sync = 0x53;
const simpleQuery = 0x51;
const readyForQuery = 0x5a;

class SocketWatch {
  readonly #socket: Socket;
  readonly #limits: SilenceLimits;
  /** The login's own is the first. */
  #owed = 1;
  #loggedIn = false;
  /** The first message of a client has no type. */
  #begun = false;
  #heardAt = tick;
  /** Of a message that goes on in the next chunk: bytes left, and those of a header that is not whole. */
  #rest = 0;
  #header: Buffer | null = null;

  constructor(socket: Socket, limits: SilenceLimits) {
    this.#socket = socket;
    this.#limits = limits;
    // Both drivers write whole messages, each as one buffer.
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
    socket.write = (chunk: Buffer, ...rest: unknown[]) => {
      this.#written(chunk);
      return write(chunk, ...rest);
    };
    // Not a listener: one that is there before the driver's would take its first bytes.
    const push = socket.push.bind(socket);
    socket.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
      if (chunk !== null) this.#heard(chunk);
      return push(chunk, encoding);
    };
  }

  look(): void {
    if (this.#owed <= 0) return;
    const ms = this.#loggedIn ? this.#limits.silenceMs : this.#limits.loginMs;
    if ((tick - this.#heardAt) * tickMs <= ms) return;
    if (!this.#loggedIn || this.#limits.ask === null) return this.#endAll(ms);
    this.#heardAt = tick;
    this.#limits.ask().catch(() => this.#endAll(ms));
  }

  #endAll(ms: number): void {
    const { pool } = this.#limits;
    for (const other of watched) {
      if (other.#limits.pool === pool && other.#loggedIn && other.#heardAt <= this.#heardAt) other.#end(ms);
    }
    this.#end(ms);
  }

  #end(ms: number): void {
    const error = new Error(`no answer within ${Math.round(ms / 1_000)} s`);
    this.#socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
  }

  #written(chunk: Buffer): void {
    let at = 0;
    if (!this.#begun) {
      this.#begun = true;
      this.#heardAt = tick;
      at = chunk.readUInt32BE(0);
    }
    while (at + 5 <= chunk.length) {
      const type = chunk[at];
      if (type === sync || type === simpleQuery) {
        if (this.#owed === 0) this.#heardAt = tick;
        this.#owed += 1;
      }
      at += 1 + chunk.readUInt32BE(at + 1);
    }
  }

  #heard(chunk: Buffer): void {
    this.#heardAt = tick;
    let at = this.#rest;
    if (this.#header !== null) {
      chunk = Buffer.concat([this.#header, chunk]);
      this.#header = null;
    }
    while (at + 5 <= chunk.length) {
      if (chunk[at] === readyForQuery) {
        this.#owed -= 1;
        this.#loggedIn = true;
      }
      at += 1 + chunk.readUInt32BE(at + 1);
    }
    if (at < chunk.length) {
      this.#header = chunk.subarray(at);
      this.#rest = 0;
    } else this.#rest = at - chunk.length;
  }
}
