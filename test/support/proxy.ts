import { createServer, connect, type Socket } from 'node:net';

/** A TCP proxy on loopback between a client and a broker, to cut connections and to be down. */
export async function startProxy(target: { readonly port: number; readonly down?: boolean }): Promise<{
  readonly port: number;
  /** Ends every connection at once. */
  cut(): void;
  /** Refuses from now on, and cuts what there is. */
  down(): void;
  up(): void;
  stop(): Promise<void>;
}> {
  const sockets = new Set<Socket>();
  let refusing = target.down ?? false;
  const server = createServer((client) => {
    if (refusing) return client.destroy();
    const upstream = connect(target.port, '127.0.0.1');
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    cut,
    down: () => {
      refusing = true;
      cut();
    },
    up: () => {
      refusing = false;
    },
    stop: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
