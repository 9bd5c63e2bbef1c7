/** Headers that Rota adds to an event on its way through retries; the rest of its headers stays. */
export const attemptsHeader = 'x-rota-attempts';
/** Code and message of why an event was dead-lettered. */
export const errorHeader = 'x-rota-error';
/** ISO timestamp. */
export const deadAtHeader = 'x-rota-dead-at';
/** Epoch milliseconds; JetStream only, where RabbitMQ has queues with a message TTL. */
export const notBeforeHeader = 'x-rota-not-before';
/** W3C trace context of whoever published the event. */
export const traceHeader = 'traceparent';
