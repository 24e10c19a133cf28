import { mkdirSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLine } from '../../src/cli/embed-input.ts';
import { L3PruneError } from '../../src/errors.ts';
import { hostileValue, runs, seed } from '../models/mutation.ts';
import { reference } from './data.ts';
import { inputOf } from '../reference.ts';
import { expectFailure, linesOf, LLAMA, useCli, type Ran } from './harness.ts';

const cli = useCli();
const embed = (input: string | Uint8Array, ...args: string[]): Promise<Ran> =>
  cli.run(['embed', '--model', LLAMA, '--layer', '1', '--max-length', '96', ...args], { input });
const bytes = (...parts: ReadonlyArray<string | number>): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))));

describe('a line of the input', () => {
  it('may end in any way, begin with a byte order mark, and be without an end', async () => {
    const [one, two] = linesOf(await embed('first\nsecond\n'));
    expect(linesOf(await embed('\uFEFFfirst\r\nsecond'))).toEqual([one, two]);
    expect(linesOf(await embed('{"text":"first"}\r\n{"text":"second"}\n\n\n'))).toEqual([one, two]);
  });

  it('that is code with a brace is the text itself', async () => {
    const code = ['{ return x; }', '{', '{}', '{"name":"x","version":"1.0.0"}', '{a: 1}', '["text"]'];
    const asObjects = code.map((text) => JSON.stringify({ text })).join('\n');
    expect(linesOf(await embed(code.join('\n')))).toEqual(linesOf(await embed(asObjects)));
  });

  it('may hold in its text what a line of plain text cannot: line breaks and NUL', async () => {
    expect(linesOf(await embed('{"text":"a\\n\\nb"}\n{"text":"\\u0000nul"}\n'))).toHaveLength(2);
  });

  it('may say with null what is not there', async () => {
    const [nulls, left] = linesOf(await embed('{"text":"a","instruction":null,"prefix":null}\n{"text":"a"}\n'));
    expect(nulls).toEqual(left);
  });

  it('of 10 MB is cut to the tokens that are read', async () => {
    const text = 'some words '.repeat(950_000);
    const [long, short] = linesOf(await embed(`${text}\n${text.slice(0, 2_000)}\n`, '--tokens'));
    expect(long).toEqual(short);
  });
});

describe('a line that cannot be embedded is named in one sentence', () => {
  const cases: ReadonlyArray<readonly [what: string, input: string | Uint8Array, code: string, sentence: RegExp]> = [
    ['a blank line', 'a\n\nb\n', 'NOTHING_TO_POOL', /Line 2 of the input is blank/],
    ['a text without a token', 'a\n{"text":""}\n', 'NOTHING_TO_POOL', /Line 2 of the input: .*no token to pool/],
    ['bytes that are not UTF-8', bytes('a\nb\nc', 0xff, '\n'), 'BAD_DATA', /Line 3 of the input is not valid UTF-8/],
    ['a NUL', bytes('a\nb', 0, 'c\n'), 'BAD_DATA', /Line 2 of the input holds a NUL/],
    ['a line of 17 MB', `a\n${'x'.repeat(17_000_000)}\nb\n`, 'BAD_DATA', /Line 2 of the input is longer than 16 MB/],
    ['an object that is cut short', 'a\n{"text": "b\n', 'BAD_DATA', /Line 2 of the input begins as a JSON object .* not valid JSON/],
    ['a text that is a number', '{"text": 7}\n', 'BAD_DATA', /Line 1 of the input has a text that is not a text/],
    ['an instruction that is a list', '{"text":"a","instruction":["b"]}\n', 'BAD_DATA', /Line 1 of the input has a instruction that is not a text/],
    ['an object without a text', '{"instruction":"b"}\n', 'BAD_DATA', /Line 1 of the input has no text/],
    ['an object as deep as it is long', `{"text":${'['.repeat(1_000_000)}\n`, 'BAD_DATA', /Line 1 of the input begins as a JSON object/],
    ['an instruction longer than what is read', `${JSON.stringify(inputOf(reference.empty[0]!))}\n`, 'NOTHING_TO_POOL', /Line 1 of the input: .*instruction alone fills the 96 tokens/],
  ];

  it.each(cases)('%s', async (_, input, code, sentence) => {
    expectFailure(await embed(input), code, sentence);
  });

  it('while whoever writes the lines still has more to say', async () => {
    const { child, ended } = cli.start(['embed', '--model', LLAMA]);
    child.stdin.write('{"text": 7}\n');
    expectFailure(await ended, 'BAD_DATA', /Line 1/);
  });

  it('where one token is all that is read', async () => {
    expectFailure(await embed('a\n', '--max-length', '1'), 'NOTHING_TO_POOL', /Line 1 .*raise --max-length/);
  });
});

it('a folder as the standard input is refused', async () => {
  mkdirSync(cli.path('folder'));
  expectFailure(await cli.run(['embed', '--model', LLAMA], { shell: `exec "$@" < ${JSON.stringify(cli.path('folder'))}` }), 'BAD_DATA', /is a folder/);
});

it('a disk that is full where the vectors go is one sentence', async () => {
  const ran = await cli.run(['embed', '--model', LLAMA], { input: 'a\n', shell: 'exec "$@" > /dev/full' });
  expectFailure(ran, 'WRITE_FAILED', /Standard output cannot be written: the disk is full/);
});

it('any line is a text, an object of ours, or a failure with a code', () => {
  const fields = fc.constantFrom('text', 'instruction', 'separator', 'prefix', 'suffix', 'other', '__proto__', 'toString');
  const anyLine = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.dictionary(fields, fc.oneof(fc.string(), hostileValue)).map((object) => JSON.stringify(object)),
    fc.tuple(fc.dictionary(fields, fc.string()), fc.nat()).map(([object, cut]) => JSON.stringify(object).slice(0, cut)),
  );
  fc.assert(
    fc.property(anyLine, (line) => {
      try {
        const input = parseLine(line, 1);
        for (const value of Object.values(input)) expect(['string', 'undefined']).toContain(typeof value);
        expect(input.text).toBeTypeOf('string');
      } catch (error) {
        expect(error).toBeInstanceOf(L3PruneError);
      }
    }),
    { numRuns: runs(500), ...seed },
  );
});
