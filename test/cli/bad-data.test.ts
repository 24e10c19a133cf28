import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { LossCurve } from '../../src/prune/curve.ts';
import { asReference, reference, triplets } from './data.ts';
import { documentOf, expectFailure, LLAMA, snapshot, useCli, type Ran } from './harness.ts';

const cli = useCli();
const profile = (data: string): Promise<Ran> => cli.run(['profile', '--model', LLAMA, '--data', data, ...asReference, '--json']);
const gzipped = gzipSync(triplets);
const row = (change: object): string => `${JSON.stringify({ ...(JSON.parse(triplets.split('\n')[0]!) as object), ...change })}\n`;

describe('a data file', () => {
  it.each<readonly [what: string, name: string, content: string | Uint8Array, code: string, sentence: RegExp]>([
    ['that is empty', 'd.jsonl', '', 'BAD_DATA', /is empty/],
    ['that is one byte order mark', 'd.jsonl', '\uFEFF', 'BAD_DATA', /is empty/],
    ['in UTF-16', 'd.jsonl', Buffer.from(`\uFEFF${triplets}`, 'utf16le'), 'BAD_DATA', /UTF-16: save it as UTF-8/],
    ['of other rows', 'd.jsonl', '{"a":1}\n{"b":2}\n', 'BAD_DATA', /none of its 2 rows can be used \(.*line 1: query is missing/],
    ['that is one long line', 'd.jsonl', 'x'.repeat(17_000_000), 'BAD_DATA', /line 1: is longer than 16 MB/],
    ['of deep JSON', 'd.jsonl', `{"query":${'['.repeat(500_000)}`, 'BAD_DATA', /line 1: is not valid JSON/],
    ['whose gzip is cut short', 'd.jsonl.gz', gzipped.subarray(0, -40), 'BAD_DATA', /cut short: its gzip stream ends in the middle/],
    ['whose gzip is corrupt', 'd.jsonl.gz', Buffer.concat([gzipped.subarray(0, 200), Buffer.alloc(100, 7), gzipped.subarray(300)]), 'BAD_DATA', /corrupt/],
    ['with something after its gzip', 'd.jsonl.gz', Buffer.concat([gzipped, Buffer.from('more')]), 'BAD_DATA', /corrupt|bytes after the end/],
    ['that is no gzip, though its name says so', 'd.jsonl.gz', triplets, 'BAD_DATA', /not a gzip file/],
    ['whose instruction fills what is read', 'd.jsonl', row({ instruction: reference.empty[0]!.instruction }).repeat(8), 'NOTHING_TO_POOL', /instruction alone fills the 96 tokens/],
  ])('%s is refused in one sentence and left as it was', async (_, name, content, code, sentence) => {
    const data = await cli.write(name, content);
    const before = await snapshot(cli.path());
    const ran = await profile(data);
    expectFailure(ran, code, sentence);
    expect(ran.stdout).toBe('');
    for (const [file, bytes] of Object.entries(before)) expect((await snapshot(cli.path()))[file]).toBe(bytes);
  });

  it.each<readonly [what: string, line: string | Uint8Array, reason: RegExp]>([
    ['an empty text', row({ positive: '' }), /positive is empty/],
    ['a blank text', row({ query: ' \u3000\t' }), /query is empty/],
    ['no negative', row({ negative: undefined }), /negative is missing/],
    ['a list without a text', row({ negative: [] }), /negative is missing/],
    ['a number for a text', row({ query: 7 }), /query is not a text/],
    ['a NUL', row({ positive: 'a\0b' }), /positive holds a NUL/],
    ['half of a surrogate pair', row({ query: 'a\ud800' }), /query holds half of a surrogate pair/],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from('{"query":"'), Buffer.of(0xc3, 0x28), Buffer.from('"}\n')]), /is not valid UTF-8/],
    ['JSON that is cut short', '{"query":"a\n', /is not valid JSON/],
  ])('is read without its row that has %s, which is named by line', async (_, line, reason) => {
    const data = await cli.write('d.jsonl', Buffer.concat([Buffer.from(triplets), Buffer.from(line), Buffer.from(triplets)]));
    const ran = await cli.run(['profile', '--model', LLAMA, '--data', data, '--batch-size', '12', '--max-length', '96', '--json']);
    expect(documentOf<LossCurve>(ran).data).toMatchObject({ triplets: 24, skipped: 1 });
    expect(ran.stderr).toMatch(/^1 row was left out:\n {2}.*d\.jsonl:13: /m);
    expect(ran.stderr).toMatch(reason);
  });
});

describe('what --data names', () => {
  it.each([
    ['nothing', 'nowhere.jsonl', 'NOT_FOUND', /nowhere\.jsonl/],
    ['a folder without a data file', 'folder', 'BAD_DATA', /holds no \.jsonl or \.jsonl\.gz file/],
    ['a file below a file', 'folder/notes.txt/d.jsonl', 'NOT_FOUND', /No such file/],
    ['a device', '/dev/null', 'BAD_DATA', /neither a file nor a folder/],
  ] as const)('may not be %s', async (_, data, code, sentence) => {
    await cli.write('folder/notes.txt', 'words');
    expectFailure(await profile(data), code, sentence);
  });
});
