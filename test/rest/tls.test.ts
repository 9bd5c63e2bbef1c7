import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readRestAccess } from '../../src/rest/access.ts';
import { createAuthority } from '../support/certificates.ts';
import { serve } from './double.ts';

const directory = mkdtempSync(join(tmpdir(), 'rota-tls-'));
afterAll(() => rmSync(directory, { recursive: true }));

const authority = await createAuthority(directory, 'authority');
const { certificate, key } = await authority.sign('localhost', 'IP:127.0.0.1');
const settings = { SCHEDULER_API_HOST: '127.0.0.1', SCHEDULER_API_CLIENT_SHARE: 0.5 };

test('a certificate and its key make REST https, and nothing else answers', async () => {
  const access = readRestAccess({ ...settings, SCHEDULER_API_TLS_CERT: certificate, SCHEDULER_API_TLS_KEY: key });
  const { url, server } = await serve({ access });
  expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  const ca = await readFile(authority.root, 'utf8');
  const answer = await new Promise<{ headers: object; body: string }>((resolve, reject) => {
    get(`${url}/tasks/?limit=1`, { ca }, (response) => {
      response.setEncoding('utf8');
      let body = '';
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ headers: response.headers, body }));
    }).on('error', reject);
  });
  expect(answer.headers).toMatchObject({ location: `${url}/tasks?limit=1` });
  await expect(fetch(url.replace('https:', 'http:'))).rejects.toThrow();
  await server.close();
});

test.each<[string, Record<string, string>, RegExp]>([
  ['no key', { SCHEDULER_API_TLS_CERT: certificate }, /SCHEDULER_API_TLS_KEY: expected a PEM file, since/],
  ['no certificate', { SCHEDULER_API_TLS_KEY: key }, /SCHEDULER_API_TLS_CERT: expected a PEM file, since/],
  [
    'a missing file',
    { SCHEDULER_API_TLS_CERT: '/nowhere', SCHEDULER_API_TLS_KEY: key },
    /SCHEDULER_API_TLS_CERT: expected a PEM file that can be read \(ENOENT\)/,
  ],
  [
    'a key of another certificate',
    { SCHEDULER_API_TLS_CERT: authority.root, SCHEDULER_API_TLS_KEY: key },
    /SCHEDULER_API_TLS_KEY: expected the PEM key of the certificate/,
  ],
])('%s stops the start with the name of the variable', (_what, given, says) => {
  expect(() => readRestAccess({ ...settings, ...given })).toThrow(says);
});

test('what is no PEM stops the start, and is not shown', () => {
  const path = join(directory, 'nonsense.pem');
  writeFileSync(path, 'hunter2');
  const given = { SCHEDULER_API_TLS_CERT: certificate, SCHEDULER_API_TLS_KEY: path };
  expect(() => readRestAccess({ ...settings, ...given })).toThrow(
    /^(?!.*hunter2).*expected the PEM key of the certificate/,
  );
});
