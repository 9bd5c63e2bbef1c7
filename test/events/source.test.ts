import { expect, test } from 'vitest';
import { SourceLink } from '../../src/events/source.ts';
import type { RotaEvent } from '../../src/telemetry/events.ts';

function linkUnderTest() {
  const told: RotaEvent[] = [];
  return { link: new SourceLink('rabbitmq', (event) => told.push(event)), told };
}

test('a lost connection is reported for each of its streams, by name', () => {
  const { link, told } = linkUnderTest();
  link.carry('raw_file_received');
  link.carry('scan_profile_mutations');
  link.down('refused');
  expect(told).toEqual([
    { name: 'source.lost', source: 'rabbitmq:raw_file_received', message: 'refused' },
    { name: 'source.lost', source: 'rabbitmq:scan_profile_mutations', message: 'refused' },
  ]);
});

test('a stream that joins a connection that is up is reported, too; without a connection nothing is', () => {
  const { link, told } = linkUnderTest();
  link.carry('raw_file_received');
  expect(told).toEqual([]);
  link.up();
  link.carry('scan_profile_mutations');
  expect(told.map((event) => 'source' in event && event.source)).toEqual([
    'rabbitmq:raw_file_received',
    'rabbitmq:scan_profile_mutations',
  ]);
});
