import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode } from '../../../src/index/files/decode.ts';

const numRuns = process.env['L3PRUNE_LONG'] === '1' ? 10_000 : 500;

/** Text without control characters and without a mark at its start. */
const line = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter((text) => !text.startsWith('\uFEFF'));
const text = fc.tuple(fc.array(line, { minLength: 1, maxLength: 20 }), fc.constantFrom('\n', '\r\n', '\r')).map(([lines, end]) => lines.join(end));
const latin = fc.string({ unit: fc.constantFrom(...' \n\tabcdefghijklmnopqrstuvwxyzäöüéèß'), minLength: 1, maxLength: 300 });

const bigEndian = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();
const mark = '\uFEFF';

describe('a text comes back as it was written', () => {
  test.each([
    ['utf-8', Buffer.from],
    ['utf-8', (text: string) => Buffer.from(mark + text)],
    ['utf-16le', (text: string) => Buffer.from(mark + text, 'utf16le')],
    ['utf-16be', (text: string) => bigEndian(mark + text)],
  ] as const)('in %s', (encoding, encode) => {
    fc.assert(
      fc.property(text, (text) => {
        expect(decode(encode(text))).toEqual({ text, encoding });
      }),
      { numRuns },
    );
  });

  test.each([
    ['utf-16le', (text: string) => Buffer.from(text, 'utf16le')],
    ['utf-16be', bigEndian],
  ] as const)('in %s without a mark, where it is of Latin letters in the main', (encoding, encode) => {
    fc.assert(
      fc.property(latin, text, (latin, text) => {
        const mixed = latin.repeat(40) + text.slice(0, 4).toWellFormed();
        expect(decode(encode(mixed))).toEqual({ text: mixed, encoding });
      }),
      { numRuns },
    );
  });
});

test('whatever the bytes are, it is no text or a well-formed one without NUL', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const decoded = decode(bytes);
      if (decoded === undefined) return;
      expect(decoded.text.isWellFormed()).toBe(true);
      expect(decoded.text).not.toContain('\0');
    }),
    { numRuns },
  );
});
