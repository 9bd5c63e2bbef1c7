import { type Msg, NatsError } from 'nats';
import { type ErrorCode, errorCodes, RotaError } from '../errors.ts';

/** The answer's own code; of another service's answer, the first code of ours with that status. */
export function serviceError(reply: Msg): RotaError {
  const status = Number(reply.headers!.get('Nats-Service-Error-Code'));
  const header = reply.headers!.get('Nats-Service-Error');
  let body: { error?: { code?: string; detail?: string } } | null = null;
  try {
    body = reply.json();
  } catch {
    // Without a body the headers say it all.
  }
  const named = body?.error?.code;
  const known = Object.keys(errorCodes) as ErrorCode[];
  const code = known.find((entry) => entry === named) ?? known.find((entry) => errorCodes[entry].status === status);
  return new RotaError(code ?? 'BROKEN', body?.error?.detail ?? header, { fields: { status } });
}

/** What a request without an answer failed with. */
export function requestError(error: unknown, subject: string): RotaError {
  const code = error instanceof NatsError ? error.code : '';
  if (code === '503') {
    const detail = `nobody answers on ${subject}: is a supervisor running there, with this prefix?`;
    return new RotaError('SERVICE_UNAVAILABLE', detail, { cause: error });
  }
  if (code === 'TIMEOUT') {
    const detail = `no answer in time on ${subject}: whoever serves it is slow or stuck`;
    return new RotaError('ASK_TIMEOUT', detail, { cause: error });
  }
  if (code === 'PERMISSIONS_VIOLATION') {
    return new RotaError('UNAUTHORIZED', `NATS permissions forbid ${subject}`, { cause: error });
  }
  if (code === 'MAX_PAYLOAD_EXCEEDED') {
    return new RotaError('INVALID_REQUEST', 'body: exceeds max_payload of the NATS server', { cause: error });
  }
  if (code.startsWith('CONNECTION')) {
    return new RotaError('SERVICE_UNAVAILABLE', 'the connection to NATS is closed', { cause: error });
  }
  return new RotaError('BROKEN', `request on ${subject} failed`, { cause: error });
}
