import { createServer } from 'node:net';

/** A plain TCP server on loopback that greets and keeps what it is sent: what a man in the middle would read. */
export async function startListener(
  greeting: string,
  port = 0,
): Promise<{ readonly port: number; heard(): string; contacted: Promise<void>; stop(): Promise<void> }> {
  let heard = '';
  const contacted = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      heard += data.toString('latin1');
      socket.end('that is nothing known here\r\n');
    });
    socket.on('close', () => contacted.resolve());
    socket.write(greeting);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    heard: () => heard,
    /** A client connected, and has disconnected. */
    contacted: contacted.promise,
    stop: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

/** What a nats-server without TLS says first. */
export const plainNats = `INFO ${JSON.stringify({ server_id: 'x', version: '2.11.0', proto: 1, headers: true, max_payload: 1_048_576 })}\r\n`;
