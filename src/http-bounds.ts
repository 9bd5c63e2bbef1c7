import type { ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { Slab } from './admission.ts';

/** What the two edges of HTTP bound alike: places of requests until they are over, and connections. */

/** Of a request: released once its answer has left and its handler is done. A client that hangs up ends the first alone. */
export interface HeldPlace {
  holders: number;
  readonly leave: () => void;
}

export function letGo(held: HeldPlace): void {
  held.holders -= 1;
  if (held.holders === 0) held.leave();
}

/** Handles a request that keeps its place until it is done. @param over called then */
export function heldWhile(held: HeldPlace | null, handle: () => unknown, over: () => void = () => {}): unknown {
  if (held !== null) held.holders += 1;
  const end = () => {
    over();
    if (held !== null) letGo(held);
  };
  let work: unknown;
  try {
    work = handle();
  } catch (error) {
    end();
    throw error;
  }
  if (work instanceof Promise) work.then(end, end);
  else end();
  return work;
}

/** One listener for each socket, which may have a thousand pipelined requests. */
const ofSockets = new WeakMap<Socket, Slab<() => void>>();

/** Acts once the answer has left, or its socket is closed: Node does not close the answers that wait behind another in a pipeline. */
export function whenGone(raw: ServerResponse, act: () => void): void {
  const { socket } = raw.req;
  // Each says so once: a later listener would never be called.
  if (socket.destroyed || raw.destroyed) return act();
  let waiting = ofSockets.get(socket);
  if (waiting === undefined) {
    const all = new Slab<() => void>();
    ofSockets.set(socket, (waiting = all));
    socket.once('close', () => {
      for (const one of all) one();
    });
  }
  const known = waiting;
  const once = () => {
    if (known.remove(key, once)) act();
  };
  const key = known.add(once);
  raw.once('close', once);
}

interface ConnectionBounds {
  readonly most: number;
  readonly mostOfAddress: number;
  /** All are in use. */
  readonly dropped?: (address: string) => void;
  readonly refused?: (address: string) => void;
}

export function boundConnections(server: Server, { most, mostOfAddress, dropped, refused }: ConnectionBounds): void {
  const open = new Map<string, number>();
  server.maxConnections = most;
  server.on('drop', (one) => dropped?.(one?.remoteAddress ?? ''));
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (open.get(address) ?? 0) + 1;
    open.set(address, count);
    socket.once('close', () => {
      const left = open.get(address)! - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
    if (count <= mostOfAddress) return;
    refused?.(address);
    socket.destroy();
  });
}
