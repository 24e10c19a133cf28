import { expect, test } from 'vitest';
import { chunkText } from '../../../src/index/chunks/chunk.ts';
import { chunkContext } from '../../../src/index/chunks/context.ts';
import { samples } from './samples.ts';

const contextsOf = async (text: string, file: string): Promise<Record<string, string>> =>
  Object.fromEntries((await chunkText(text, file)).chunks.map((chunk) => [`${chunk.symbol} ${chunk.startLine}`, chunkContext(chunk, text)]));

test('a method reads after the name of its class, without the indentation of both', async () => {
  const contexts = await contextsOf(samples['retry.py']!, 'retry.py');
  expect(contexts['Retry.left 25']).toBe('Retry.left\n@property\ndef left(self) -> int:\n    # What is left.\n    return self.total');
});

test('what says its name itself reads as it is written', async () => {
  const contexts = await contextsOf(samples['server.go']!, 'server.go');
  expect(contexts['Server 11']).toBe('// Server serves files.\ntype Server struct {\n\troot string\n\tsize int\n}');
  expect(contexts[' 17']).toMatch(/^type \(/);
});

test('a later piece of a long function reads after its name', async () => {
  expect((await contextsOf(samples['parser.ts']!, 'parser.ts'))['Parser.parse 53']).toMatch(/^Parser\.parse\n  if \(text[\s\S]*\n\}$/);
});

test('a section reads after the headings around it', async () => {
  const contexts = await contextsOf(samples['guide.md']!, 'guide.md');
  expect(contexts['Use > With options > Deep 49']).toBe('Use > With options > Deep\n#### Deep\nHere.');
});

test('lines that end otherwise, and a file that has another name, read the same', async () => {
  const text = samples['retry.py']!;
  const contexts = Object.values(await contextsOf(text, 'retry.py'));
  expect(Object.values(await contextsOf(text.replaceAll('\n', '\r\n'), 'src/other.py'))).toEqual(contexts);
  expect(Object.values(await contextsOf(text.replaceAll('\n', '\r'), 'other.txt')).join('\n')).not.toContain('\r');
});
