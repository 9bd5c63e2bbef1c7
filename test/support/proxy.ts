import { createServer, connect, type Socket } from 'node:net';

/** A TCP proxy on loopback between a client and a service, to cut connections, to be down, and to go silent. */
export async function startProxy(target: { readonly port: number; readonly down?: boolean }): Promise<{
  readonly port: number;
  /** Ends every connection at once. */
  cut(): void;
  /** Refuses from now on, and cuts what there is. */
  down(): void;
  up(): void;
  /** Open connections receive nothing any more, no end either: a firewall that forgot them. New connections pass. */
  silence(): void;
  /** The same for those that come, until `up`. */
  silenceAll(): void;
  stop(): Promise<void>;
}> {
  const sockets = new Set<Socket>();
  let refusing = target.down ?? false;
  let mute = false;
  const server = createServer((client) => {
    if (refusing) return client.destroy();
    if (mute) {
      sockets.add(client.on('error', () => {}));
      return;
    }
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
  const silence = () => {
    for (const socket of sockets) socket.unpipe().pause().removeAllListeners('close');
  };
  return {
    port: (server.address() as { port: number }).port,
    cut,
    down: () => {
      refusing = true;
      cut();
    },
    up: () => {
      refusing = mute = false;
    },
    silence,
    silenceAll: () => {
      mute = true;
      silence();
    },
    stop: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
