/** closed: calls pass; open: calls fail at once; half-open: one probe is under way, the rest fail at once. */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** Leave to call once. Report how it went exactly once; reports of calls from before the circuit opened change nothing. */
export interface Permit {
  succeeded(): void;
  failed(): void;
}

export interface Circuit {
  /** Null while the circuit is open. */
  admit(): Permit | null;
  state(): CircuitState;
}

export interface CircuitOptions {
  /** Consecutive failures that open it. */
  readonly failures: number;
  /** First pause before a probe; each failed probe doubles it up to `maxPauseMs`. */
  readonly pauseMs: number;
  readonly maxPauseMs: number;
  /** Milliseconds of any steadily growing clock. */
  readonly now: () => number;
  readonly onChange?: (state: CircuitState) => void;
}

/** A circuit breaker without timers: time passes only when somebody asks. */
export function createCircuit(options: CircuitOptions): Circuit {
  let state: CircuitState = 'closed';
  let failures = 0;
  let pauseMs = options.pauseMs;
  let probeAt = 0;
  // Every change of state starts a new era: permits of an older one no longer speak for the service as it is now.
  let era = 0;

  const become = (next: CircuitState) => {
    state = next;
    era += 1;
    options.onChange?.(next);
  };
  const open = () => {
    probeAt = options.now() + pauseMs;
    become('open');
  };

  const permit = (): Permit => {
    const issued = era;
    return {
      succeeded: () => {
        if (issued !== era) return;
        failures = 0;
        if (state === 'closed') return;
        pauseMs = options.pauseMs;
        become('closed');
      },
      failed: () => {
        if (issued !== era) return;
        failures += 1;
        if (state === 'half-open') {
          pauseMs = Math.min(pauseMs * 2, options.maxPauseMs);
          open();
        } else if (failures >= options.failures) {
          open();
        }
      },
    };
  };

  return {
    admit: () => {
      if (state === 'closed') return permit();
      if (state === 'half-open' || options.now() < probeAt) return null;
      become('half-open');
      return permit();
    },
    state: () => state,
  };
}
