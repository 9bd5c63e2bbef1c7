import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { endpointNames, metadataOf, requestSchemas } from '../../src/nats/requests.ts';
import { requestBudget } from '../../src/nats/budgets.ts';
import { asyncApi, requestExamples } from '../support/asyncapi.ts';

const document = asyncApi();
/** Formats and keywords are those of the zod schemas; here the shapes are asked for. */
const ajv = () => new Ajv({ strict: false, validateFormats: false, allErrors: false });

/** `vitest run --project utest test/docs/asyncapi.test.ts --update` rewrites it. */
test('src/rest/asyncapi.json is what the schemas say', async () => {
  await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot('../../src/rest/asyncapi.json');
});

test('it is an AsyncAPI 3 document', async () => {
  const schema = createRequire(import.meta.url).resolve('@asyncapi/specs/schemas/3.0.0-without-$id.json');
  const validate = ajv().compile(JSON.parse(await readFile(schema, 'utf8')) as object);
  validate(JSON.parse(JSON.stringify(document)));
  expect(validate.errors).toBe(null);
});

test('each reference in it leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path!);
  expect(references.length).toBeGreaterThan(100);
  for (const path of references) {
    let at: unknown = document;
    for (const step of path.split('/')) at = (at as Record<string, unknown> | undefined)?.[step];
    expect(at, path).toBeDefined();
  }
});

test('each example validates, and each endpoint of the service has a channel, an operation and examples', () => {
  const messages = Object.entries(document.components.messages);
  for (const [name, { payload, examples = [] }] of messages) {
    const validate = ajv().compile(payload);
    for (const example of examples)
      expect(validate(example.payload), `${name} ${ajv().errorsText(validate.errors)}`).toBe(true);
    if (!name.startsWith('ctl-')) expect(examples, name).toHaveLength(1);
  }
  const operations = Object.keys(document.operations);
  for (const name of endpointNames) {
    expect(
      operations.some((operation) => operation === name || operation.startsWith(`${name}-`)),
      name,
    ).toBe(true);
  }
  const schemas = requestSchemas();
  for (const [name, requests] of Object.entries(requestExamples)) {
    const validate = ajv().compile(schemas[name as keyof typeof schemas]);
    for (const request of requests) expect(validate(request), name).toBe(true);
    expect(validate({ surely: 'misspelt' }), name).toBe(false);
  }
});

test('a schema says what the service refuses: the items of a set and their number', () => {
  const validate = ajv().compile(requestSchemas()['task-patch']);
  const patch = { id: 'fd822b8d-58f1-4b30-a8d3-1ca11f6de745', status: 'running' };
  expect(validate({ patches: [patch] })).toBe(true);
  expect(validate({ patches: [{ ...patch, status: 'resting' }] })).toBe(false);
  expect(validate({ patches: Array(requestBudget.set + 1).fill(patch) })).toBe(false);
});

test('the metadata of all endpoints fit into an answer of the service', () => {
  const all = JSON.stringify(endpointNames.map(metadataOf));
  expect(all.length).toBeLessThan(12_288);
});
