import { type Socket, connect } from 'node:net';

/** One REST answer: what of it a load generator looks at. */
interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

type Answered = (answer: HttpAnswer) => void;
type Failed = (error: unknown) => void;

/**
 * Keep-alive connections, as KAT's runners have them, and as little HTTP as this needs: `node:http` takes 85 µs a request
 * of the two cores that are measured, `fetch` three times that. One request at a time per connection.
 */
export function httpClient(base: string, connections: number) {
  const { hostname, port, host } = new URL(base);
  let idle: Connection[] = [];
  const open = new Set<Connection>();
  return {
    send(method: string, path: string, body: string | null, answered: Answered, failed: Failed): void {
      const connection = idle.pop() ?? openConnection();
      connection.send(`${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${bodyText(body)}`, answered, failed);
    },
    close: () => {
      for (const connection of open) connection.close();
    },
  };

  function openConnection(): Connection {
    if (open.size >= connections) throw new Error(`more than ${connections} requests at once`);
    const socket = connect(Number(port), hostname);
    const connection = new Connection(socket, () => idle.push(connection));
    open.add(connection);
    // The server ends what was idle for seconds.
    socket.once('close', () => {
      open.delete(connection);
      idle = idle.filter((other) => other !== connection);
    });
    return connection;
  }
}

export type HttpClient = ReturnType<typeof httpClient>;

function bodyText(body: string | null): string {
  if (body === null) return 'Content-Length: 0\r\n\r\n';
  return `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

class Connection {
  readonly #socket: Socket;
  readonly #free: () => void;
  #received: Buffer = nothing;
  #answered: Answered | null = null;
  #failed: Failed = () => {};

  constructor(socket: Socket, free: () => void) {
    this.#socket = socket;
    this.#free = free;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.once('error', (error) => this.#failed(error));
    socket.once('close', () => this.#answered !== null && this.#failed(new Error('closed before its answer')));
  }

  send(text: string, answered: Answered, failed: Failed): void {
    if (this.#socket.destroyed) return failed(new Error('the connection was closed'));
    this.#answered = answered;
    this.#failed = failed;
    this.#socket.write(text);
  }

  close(): void {
    this.#failed = () => {};
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = this.#received.toString('latin1', 0, end);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (length === undefined) return this.#failed(new Error(`an answer without a length: ${head}`));
    const until = end + 4 + Number(length);
    if (this.#received.length < until) return;
    const answer = { status: Number(head.slice(9, 12)), text: this.#received.toString('utf8', end + 4, until) };
    this.#received = nothing;
    const answered = this.#answered!;
    this.#answered = null;
    this.#free();
    answered(answer);
  }
}

const nothing = Buffer.alloc(0);
