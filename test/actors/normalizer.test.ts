import { describe, expect, test } from 'vitest';
import normalizerScheduler from '../../actors/normalizer/behavior.ts';
import type { RawFileReceived } from '../../src/protocol/events.ts';
import { boefjeHash, normalizerData, normalizerHash } from '../../src/tasks/data.ts';
import type { TaskStatus } from '../../src/tasks/task.ts';
import { deliver, outcomeOf } from '../support/deliveries.ts';
import { boefje, normalizer, outageOf } from '../support/kat-ports.ts';
import { noon, Ports } from '../support/ports.ts';

function rawFile(
  mimeTypes: readonly string[],
  fields: { run?: number; size?: number; organisation?: string } = {},
): RawFileReceived {
  const organisation = fields.organisation ?? 'aa';
  const meta = {
    id: uuid(fields.run ?? 0),
    boefje: { id: 'dns', name: null, version: null, oci_image: null },
    input_ooi: 'Hostname|internet|a.example',
    arguments: {},
    organization: organisation,
    started_at: null,
    ended_at: null,
  };
  return {
    kind: 'raw-file-received',
    organisation,
    createdAt: noon - 5000,
    rawData: {
      id: meta.id,
      boefje_meta: meta,
      mime_types: mimeTypes.map((value) => ({ value })),
      secure_hash: null,
      hash_retrieval_link: null,
    },
    size: fields.size ?? null,
  };
}

function uuid(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

function ports(): Ports {
  const it = new Ports('normalizer');
  it.organisations = {
    aa: {
      plugins: [
        normalizer('parse-dns', ['boefje/dns', 'dns/json']),
        normalizer('parse-all', ['boefje/dns']),
        normalizer('off', ['boefje/dns'], { enabled: false }),
        boefje('dns', { consumes: ['boefje/dns'] }),
      ],
    },
  };
  return it;
}

function send(it: Ports, ...events: RawFileReceived[]) {
  return deliver(normalizerScheduler.start(it.setup)['raw-file-received'], ...events);
}

function normalizers(it: Ports): string[] {
  return it.pushed.map(({ data }) => normalizerData.parse(data).normalizer.id);
}

describe('a raw file', () => {
  test('queues each enabled normalizer once, however many of its mime types it consumes', async () => {
    const it = ports();
    await send(it, rawFile(['dns/json', 'boefje/dns']));
    expect(normalizers(it)).toEqual(['parse-dns', 'parse-all']);
    expect(it.reasons).toEqual(['normalizer-disabled']);
  });

  test('makes tasks without a schedule, about the moment it came', async () => {
    const it = ports();
    await send(it, rawFile(['dns/json']));
    expect(it.pushed[0]).toMatchObject({ organisation: 'aa', recurrence: 'none', occurredAt: noon - 5000 });
    expect(normalizerData.parse(it.pushed[0]!.data).raw_data).toEqual(rawFile(['dns/json']).rawData);
  });

  test('that a person uploaded is parsed as any other', async () => {
    const it = ports();
    const upload = rawFile(['dns/json']);
    upload.rawData.boefje_meta.boefje.id = 'manual';
    await send(it, upload);
    expect(normalizers(it)).toEqual(['parse-dns']);
  });

  test('of a failed boefje, without mime types, or empty, is not parsed (lessons 1)', async () => {
    const it = ports();
    await send(it, rawFile(['boefje/dns', 'error/boefje']), rawFile([]), rawFile(['boefje/dns'], { size: 0 }));
    expect([it.pushed, it.reasons]).toEqual([[], ['error-mime-type', 'no-mime-type', 'empty-raw-file']]);
  });

  test('lessons 1: openkat/deschedule deletes the schedule of its boefje, OOI and organisation, and stops', async () => {
    const it = ports();
    await send(it, rawFile(['openkat/deschedule', 'boefje/dns']));
    const hash = boefjeHash({ boefjeId: 'dns', inputOoi: 'Hostname|internet|a.example', organisation: 'aa' });
    expect(it.requests('delete-schedules')).toEqual([{ hashes: [hash] }]);
    expect([it.pushed, it.times('plugins')]).toEqual([[], 0]);
  });

  test('that comes again makes no second task while the first is not finished', async () => {
    for (const [status, reason] of [
      ['queued', 'already-queued'],
      ['dispatched', 'still-running'],
    ] as const) {
      const it = ports();
      it.latest = [latest(status)];
      await send(it, rawFile(['dns/json']));
      expect([it.pushed, it.reasons]).toEqual([[], [reason]]);
    }
  });

  test('of a run that was parsed before is parsed: one run may store several raw files', async () => {
    for (const status of ['completed', 'failed', 'cancelled'] as const) {
      const it = ports();
      it.latest = [latest(status)];
      await send(it, rawFile(['dns/json']));
      expect(normalizers(it)).toEqual(['parse-dns']);
    }
  });
});

function latest(status: TaskStatus) {
  const hash = normalizerHash({ normalizerId: 'parse-dns', boefjeMetaId: uuid(0), organisation: 'aa' });
  return { hash, id: 'earlier', status, createdAt: noon, modifiedAt: noon };
}

describe('a batch of raw files', () => {
  test('asks Katalogus once per organisation and pushes once', async () => {
    const it = ports();
    it.organisations['bb'] = { plugins: [normalizer('parse-dns', ['dns/json'])] };
    const events = Array.from({ length: 100 }, (_, at) =>
      rawFile(['dns/json'], { run: at, organisation: at % 2 === 0 ? 'aa' : 'bb' }),
    );
    await send(it, ...events);
    expect([it.pushed.length, it.times('plugins'), it.times('latest-tasks'), it.times('push-tasks')]).toEqual([
      100, 2, 1, 1,
    ]);
  });

  test('that holds one twice makes one task', async () => {
    const it = ports();
    await send(it, rawFile(['dns/json']), rawFile(['dns/json']));
    expect([it.pushed.length, it.reasons]).toEqual([1, ['already-queued']]);
  });

  test('lessons 0.8: an outage in one organisation holds up that one alone', async () => {
    const it = ports();
    it.organisations['bb'] = { plugins: [normalizer('parse-dns', ['dns/json'])] };
    it.outage = (name, organisation) => {
      if (name === 'plugins' && organisation === 'bb') throw outageOf('katalogus');
    };
    const outcomes = await send(it, rawFile(['dns/json']), rawFile(['dns/json'], { organisation: 'bb' }));
    expect(outcomes.map(outcomeOf)).toEqual(['done', 'SERVICE_UNAVAILABLE']);
    expect(it.pushed).toHaveLength(1);
  });

  test('a full queue holds the event back, a broken ranker counts an attempt', async () => {
    for (const [reason, code] of [
      ['queue-full', 'QUEUE_FULL'],
      ['rank-failed', 'RANK_FAILED'],
    ] as const) {
      const it = ports();
      it.refusePush = () => reason;
      expect((await send(it, rawFile(['dns/json']), rawFile([]))).map(outcomeOf)).toEqual([code, 'done']);
    }
  });
});
