import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An authority's certificate, and what it signs; paths of PEM files. */
export interface Authority {
  readonly root: string;
  /** @param altName such as `DNS:localhost` */
  sign(name: string, altName?: string): Promise<{ readonly certificate: string; readonly key: string }>;
}

/** Made for each test, with OpenSSL. */
export async function createAuthority(directory: string, name: string): Promise<Authority> {
  const at = (file: string) => join(directory, `${name}-${file}`);
  const [root, rootKey] = [at('root.crt'), at('root.key')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await run('openssl', [
    'req',
    '-x509',
    ...key,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    rootKey,
    '-out',
    root,
  ]);
  return {
    root,
    async sign(subject, altName) {
      const [certificate, own, request, extensions] = ['crt', 'key', 'csr', 'ext'].map((end) =>
        at(`${subject}.${end}`),
      );
      await run('openssl', ['req', ...key, '-subj', `/CN=${subject}`, '-keyout', own!, '-out', request!]);
      await writeFile(
        extensions!,
        altName === undefined ? 'basicConstraints=CA:FALSE\n' : `subjectAltName=${altName}\n`,
      );
      const signing = ['x509', '-req', '-in', request!, '-CA', root, '-CAkey', rootKey, '-set_serial', '1'];
      await run('openssl', [...signing, '-days', '2', '-extfile', extensions!, '-out', certificate!]);
      await chmod(own!, 0o600);
      return { certificate: certificate!, key: own! };
    },
  };
}
