import { parentPort, workerData } from 'node:worker_threads';
import { connectNats } from '../../src/nats/connect.ts';

/** Answers every request at once with as many bytes as a popped task has. */
const { servers, subject, bytes } = workerData as { servers: string; subject: string; bytes: number };
const connection = await connectNats({ servers });
const answer = new TextEncoder().encode('x'.repeat(bytes));
connection.subscribe(subject, { callback: (_error, message) => void message.respond(answer) });
await connection.flush();
parentPort!.postMessage('ready');
