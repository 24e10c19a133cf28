import { describe, expect, test } from 'vitest';
import { normalizedBody, normalizedFunctionHash, withoutComments } from '../../src/data/code-text.ts';
import type { CodeLanguage } from '../../src/data/grammars.ts';

describe('two copies of a function', () => {
  test.each<[CodeLanguage, string, string]>([
    ['python', 'def f(a):\n    """Says."""\n    x = {"a": 1}  # one\n    return x', "@cached\ndef g(b, c=':'):\n  x = {'a':1,}\n\n  return x"],
    ['javascript', '/** Doc. */\nfunction f(a) {\n  // why\n  return a["b"];\n}', "exports.g = async (a) => {\n  return a['b']\n};"],
    ['typescript', 'private f(a: string): number { return a /* b */ .length; }', 'export const f = function (a) {\n  return a.length;\n}'],
    ['go', 'func (p *T) F(a int) int {\n\treturn a // one\n}', 'func F(a int) int { return a }'],
    ['rust', 'pub fn f(a: u8) -> u8 {\n    // one\n    a + 1\n}', 'fn g(a: u8) -> u8 { a + 1 }'],
    ['java', '@Override\npublic int f(int a) {\n  return a; /* x */\n}', 'int g(int a) { return a; }'],
    ['cpp', 'template <class T>\nint f(T a) {\n  return a; // x\n}', 'int g(int a) { return a; }'],
    ['csharp', 'public int F(int a) => a + 1;', 'int G(int a)\n  => a + 1;'],
    ['ruby', 'def f(a)\n  # one\n  a + 1\nend', 'def self.g(a); a + 1; end'],
    ['php', 'public function f($a) { # one\n  return $a;\n}', 'function g($a) { return $a; }'],
  ])('of %s are the same however they are laid out, named and documented', (language, one, other) => {
    expect(normalizedBody(one, language)).toBe(normalizedBody(other, language));
    expect(normalizedFunctionHash(one, language)).toMatch(/^[\w+/]{43}=$/);
  });

  test('differ where a name, a number or a string in the body does', () => {
    const hash = (body: string): string => normalizedFunctionHash(`function f(a) { ${body} }`, 'javascript');
    const bodies = ['return a', 'return b', 'return A', 'return "a"', 'return 1', 'return "// a"', 'return `a`'];
    expect(new Set(bodies.map(hash)).size).toBe(bodies.length);
  });

  test('keep what only looks like a comment', () => {
    expect(normalizedBody('function f() { return "http://x" + /[/*]/.source; }', 'javascript')).toBe('return"http://x"+/[/*]/.source');
    expect(normalizedBody("def f():\n    return '# no comment'", 'python')).toBe('return"#nocomment"');
  });
});

describe('a comment that is not wanted', () => {
  test('goes with the line that it had, and leaves the code around it', () => {
    const code = 'function f() {\n  // gives it away\n  // in two lines\n  const x = 1; // gives\n  /* stays */\n  return x;\n}';
    expect(withoutComments(code, 'javascript', (comment) => comment.includes('gives'))).toBe('function f() {\n  const x = 1;\n  /* stays */\n  return x;\n}');
  });

  test('is nothing in a string', () => {
    const code = 'def f():\n    return "# gives it away"';
    expect(withoutComments(code, 'python', () => true)).toBe(code);
  });
});
