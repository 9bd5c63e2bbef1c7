import { InFlight } from '../in-flight.ts';
import { type ClientBudgets, kindBudgets } from './budgets.ts';

/** @returns what is in flight of an endpoint's kind, by the endpoint's name */
export function inFlightByKind(clients: ClientBudgets): (endpoint: string) => InFlight {
  const of = (kind: keyof typeof kindBudgets, most: number, what: string, variable?: string) => {
    const all = kindBudgets[kind];
    const refusal = { code: 'TOO_MANY_REQUESTS', what, ...(variable === undefined ? {} : { variable }) } as const;
    return new InFlight({ all, ofClient: { most, mostBytes: all.mostBytes / 2 }, refusal });
  };
  const kinds = {
    pop: of('pop', clients.pops, 'pops', 'NATS_CLIENT_POPS'),
    heartbeat: of('heartbeat', clients.requests, 'heartbeats', 'NATS_CLIENT_REQUESTS'),
    ctl: of('ctl', kindBudgets.ctl.most / 2, 'commands'),
    other: of('other', clients.requests, 'requests', 'NATS_CLIENT_REQUESTS'),
  };
  return (endpoint) => {
    if (endpoint === 'pop') return kinds.pop;
    if (endpoint === 'task-heartbeat') return kinds.heartbeat;
    return endpoint.startsWith('ctl') ? kinds.ctl : kinds.other;
  };
}
