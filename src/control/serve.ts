import type { MessagePort } from 'node:worker_threads';
import * as Comlink from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import type { ThreadControl } from './thread-control.ts';

/** Serves the operator's view of this thread on a port of its own, never the mailbox's. */
export function serveControl(port: MessagePort, control: ThreadControl): void {
  Comlink.expose(control, nodeEndpoint(port));
}
