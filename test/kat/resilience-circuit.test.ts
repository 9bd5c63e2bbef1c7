import { describe, expect, test } from 'vitest';
import { type CircuitState, createCircuit } from '../../src/kat/resilience.ts';

function circuitOf() {
  let now = 0;
  const changes: CircuitState[] = [];
  const circuit = createCircuit({
    failures: 3,
    pauseMs: 100,
    maxPauseMs: 300,
    now: () => now,
    onChange: (state) => changes.push(state),
  });
  const fail = () => circuit.admit()!.failed();
  const open = () => [1, 2, 3].forEach(fail);
  return { circuit, changes, fail, open, advance: (ms: number) => (now += ms) };
}

describe('a circuit breaker', () => {
  test('opens after so many failures in a row, not before', () => {
    const { circuit, fail } = circuitOf();
    fail();
    fail();
    circuit.admit()!.succeeded();
    fail();
    fail();
    expect(circuit.state()).toBe('closed');
    fail();
    expect(circuit.state()).toBe('open');
    expect(circuit.admit()).toBeNull();
  });

  test('lets one probe through after its pause, and closes when that succeeds', () => {
    const { circuit, open, advance, changes } = circuitOf();
    open();
    advance(99);
    expect(circuit.admit()).toBeNull();
    advance(1);
    const probe = circuit.admit();
    expect(probe).not.toBeNull();
    expect(circuit.admit(), 'a second call beside the probe').toBeNull();
    probe!.succeeded();
    expect(circuit.admit()).not.toBeNull();
    expect(changes).toEqual(['open', 'half-open', 'closed']);
  });

  test('waits twice as long after each failed probe, up to its longest pause', () => {
    const { circuit, open, advance } = circuitOf();
    open();
    for (const pause of [100, 200, 300, 300]) {
      advance(pause - 1);
      expect(circuit.admit()).toBeNull();
      advance(1);
      circuit.admit()!.failed();
      expect(circuit.state()).toBe('open');
    }
  });

  test('does not hear calls that began before it opened', () => {
    const { circuit, open, advance } = circuitOf();
    const [slow, slower] = [circuit.admit()!, circuit.admit()!];
    open();
    slow.succeeded();
    expect(circuit.state()).toBe('open');
    advance(100);
    const probe = circuit.admit()!;
    slower.failed();
    expect(circuit.state()).toBe('half-open');
    probe.succeeded();
    expect(circuit.state()).toBe('closed');
  });
});
