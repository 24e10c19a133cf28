import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { extractFunctions, type FunctionChunk } from '../../src/data/functions.ts';

const functionsOf = async (source: string, path: string): Promise<readonly FunctionChunk[]> => {
  const functions = await extractFunctions(source, path);
  if (functions === undefined) throw new Error('gave up');
  return functions;
};

/** "Qualified.name start-end body (comment's line)" for every function. */
const outline = async (source: string, path: string): Promise<string[]> =>
  (await functionsOf(source, path)).map(
    (chunk) =>
      `${chunk.qualifiedName} ${chunk.startLine}-${chunk.endLine} body ${chunk.bodyLines}${chunk.comment ? ` (${chunk.comment.startLine})` : ''}`,
  );

const typescript = `/** Adds. */
export function add(a: number, b: number): number {
  return a + b;
}

namespace shapes {
  /** A circle. */
  export abstract class Circle<T> {
    /** Makes one. */
    constructor(readonly radius: number) {}

    /** Area. */
    @memo()
    @log
    get area(): number {
      const r = this.radius;

      return Math.PI * r * r;
    }
    abstract draw(): void;
    private grow = async (by: number): Promise<void> => {
      const inner = () => by;
    };
  }
}

/** Overloaded. */
export function over(a: string): void;
export function over(a: number): void;
export function over(a: unknown): void {
  console.log(a);
}

declare function nothing(): void;
interface Shape { area(): number }
/** Not directly before. */

export const twice = <T,>(f: (x: T) => T) => (x: T): T => f(f(x));
const a = () => 1,
  b = function () {
    return 2;
  };
`;

const javascript = `exports.first = function () { return 1; };
/** Second. */ Foo.prototype.second = async (x) => {
  await x;
};
const tools = {
  /** Third. */
  third() {},
  'fourth': function* () { yield 4; },
  fifth: () => 5,
};
class A {
  static #sixth = () => {};
  [Symbol.iterator]() {}
}
(function () { function seventh() {} })();
/** Eighth. */
export default function () { return "😀"; }
`;

describe('extractFunctions', () => {
  test('finds what TypeScript calls a function', async () => {
    expect(await outline(typescript, 'a.ts')).toEqual([
      'add 2-4 body 1 (1)',
      'shapes.Circle.constructor 10-10 body 0 (9)',
      'shapes.Circle.area 13-19 body 2 (12)',
      'shapes.Circle.grow 21-23 body 1',
      'shapes.Circle.grow.inner 22-22 body 1',
      'over 30-32 body 1 (27)',
      'twice 38-38 body 1',
      'a 39-39 body 1',
      'b 40-42 body 1',
    ]);
  });

  test('finds what JavaScript calls a function', async () => {
    expect(await outline(javascript, 'a.js')).toEqual([
      'first 1-1 body 1',
      'second 2-4 body 1 (2)',
      'tools.third 7-7 body 0 (6)',
      'tools.fourth 8-8 body 1',
      'tools.fifth 9-9 body 1',
      'A.#sixth 12-12 body 0',
      'A.[Symbol.iterator] 13-13 body 0',
      'seventh 15-15 body 0',
      'default 17-17 body 1 (16)',
    ]);
  });

  test('finds components in TSX and JSX', async () => {
    const source = 'export const View = ({ name }) => {\n  return <b>{name}</b>;\n};\n';
    expect(await outline(source, 'a.tsx')).toEqual(['View 1-3 body 1']);
    expect(await outline(source, 'a.jsx')).toEqual(['View 1-3 body 1']);
  });

  test('cuts out the code with decorators and modifiers, without its comment, unindented', async () => {
    const chunks = await functionsOf(typescript, 'a.ts');
    expect(chunks.find(({ name }) => name === 'area')?.code).toBe(
      '@memo()\n@log\nget area(): number {\n  const r = this.radius;\n\n  return Math.PI * r * r;\n}',
    );
    expect(chunks.find(({ name }) => name === 'add')?.code).toMatch(/^export function add/);
    expect(chunks[0]?.comment?.text).toBe('/** Adds. */');
  });

  test('counts code units as JavaScript does, whatever stands before', async () => {
    const [chunk] = await functionsOf('const s = "😀é漢"; function f() { return s; }', 'a.ts');
    expect(chunk?.code).toBe('function f() { return s; }');
  });

  test('takes CRLF', async () => {
    const [chunk] = await functionsOf('/** Does. */\r\nfunction f() {\r\n  return 1;\r\n}\r\n', 'a.js');
    expect(chunk).toMatchObject({ startLine: 2, endLine: 4, code: 'function f() {\n  return 1;\n}', comment: { startLine: 1 } });
  });

  test('takes what does not parse, what is empty and what is another language', async () => {
    expect(await outline('function f( { ]] }} function g() {}', 'a.ts')).toEqual(expect.any(Array));
    expect(await outline('', 'a.ts')).toEqual([]);
    expect(await outline('fun f() = 1', 'a.kt')).toEqual([]);
  });

  test('gives up on text that the parser would be busy with for minutes, and parses the next', async () => {
    expect(await extractFunctions('('.repeat(400_000), 'a.js')).toBeUndefined();
    expect(await outline('function f() {}', 'a.js')).toEqual(['f 1-1 body 0']);
  });

  test('takes any damage to a program: chunks lie inside of the text, in order', async () => {
    const damage = fc.record({ at: fc.nat(javascript.length), length: fc.nat(20), text: fc.string({ unit: 'grapheme', maxLength: 8 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { maxLength: 5 }), fc.constantFrom('a.js', 'a.ts', 'a.tsx'), async (damages, path) => {
        const source = damages.reduce((text, { at, length, text: put }) => text.slice(0, at) + put + text.slice(at + length), javascript);
        const lines = source.split('\n').length;
        let last = 0;
        for (const chunk of await functionsOf(source, path)) {
          expect(chunk.code).not.toBe('');
          expect(chunk.startLine).toBeGreaterThanOrEqual(1);
          expect(chunk.endLine).toBeGreaterThanOrEqual(chunk.startLine);
          expect(chunk.endLine).toBeLessThanOrEqual(lines);
          expect(chunk.startLine).toBeGreaterThanOrEqual(last);
          last = chunk.startLine;
        }
      }),
      { numRuns: process.env.L3PRUNE_LONG === '1' ? 3000 : 200 },
    );
  }, 300_000);

  test('gives its memory back', async () => {
    const source = javascript.repeat(50);
    for (let i = 0; i < 5; i++) await extractFunctions(source, 'a.js');
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 20; i++) await extractFunctions(source, 'a.js');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
  });
});
