import { describe, expect, test } from 'vitest';
import { chunkText } from '../../../src/index/chunks/chunk.ts';
import { outlineOf } from './cover.ts';
import { samples } from './samples.ts';

const expected: Readonly<Record<string, readonly string[]>> = {
  'parser.ts': [
    'block 1-4',
    'interface Options 6-10',
    'block 12-14',
    'class Parser 16-20',
    'method Parser.constructor 22-24',
    'class Parser 26-27',
    'method Parser.parse 29-52',
    'method Parser.parse 53-80',
    'class Parser 82-83',
    'method Parser.note 85-88',
    'class shapes.Circle 90-94',
    'function shapes.area 95-98',
    'class Color 100-103',
    'block handlers 105-109',
    'function main 111-113',
  ],
  'view.tsx': [
    'block 1-4',
    'function Greeting 6-10',
    'class Panel 12-16',
  ],
  'app.js': [
    'block 1-3',
    'function serve 5-10',
    'function Parser.parse 12-14',
    'function handle 16-18',
    'block 20-24',
  ],
  'retry.py': [
    'block 1-7',
    'class Attempt 10-14',
    'class Retry 17-23',
    'method Retry.left 25-28',
    'method Retry.sleep 30-84',
    'function decorate 87-92',
    'block 95-96',
  ],
  'server.go': [
    'block 1-9',
    'class Server 11-15',
    'block 17-23',
    'method Server.Serve 25-31',
    'function New 33-33',
  ],
  'lib.rs': [
    'block 1-3',
    'class Place 5-10',
    'class Kind 12-15',
    'interface Read 17-19',
    'class Place 21-25',
    'function twice 27-31',
    'function split 33-37',
    'function tests.splits 39-46',
  ],
  'Parser.java': [
    'block 1-4',
    'class Parser 6-8',
    'method Parser.Parser 10-13',
    'method Parser.toString 15-16',
    'method Parser.parse 18-41',
    'method Parser.parse 42-66',
    'class Parser.State 68-71',
    'class Parser.Pair 73-78',
    'interface Visitor 80-82',
  ],
  'tree.c': [
    'block 1-5',
    'class node 7-11',
    'class table_t 13-15',
    'function find 17-24',
    'function main 26-29',
  ],
  'tree.hpp': [
    'block 1-3',
    'function net.detail.split 5-12',
    'class net.detail.Tree 14-21',
    'class net.detail.Color 23-26',
    'method net.detail.Tree.grow 28-32',
  ],
  'Server.cs': [
    'block 1-2',
    'class Server 4-10',
    'method Server.Server 12-15',
    'method Server.Answer 17-41',
    'method Server.Answer 42-67',
    'interface IReader 69-72',
    'class State 74-79',
  ],
  'parser.rb': [
    'block 1-4',
    'class Net.Parser 6-19',
    'class Net.Helper 21-26',
    'function main 28-31',
  ],
  'Parser.php': [
    'block 1-5',
    'class Parser 7-16',
    'interface Reader 18-21',
    'interface Counts 23-26',
    'function twice 28-34',
    'block 36-36',
  ],
  'build.sh': [
    'block 1-3',
    'function build 5-9',
    'function usage 11-17',
    'block 19-22',
  ],
  'page.css': [
    'block 1-63',
    'block 64-131',
  ],
  'setup.cfg': [
    'section metadata 1-4',
    'section tool:pytest 6-9',
  ],
  'Deploy.ps1': [
    'block 1-2',
    'function Copy-Files 4-11',
    'class Server 13-21',
    'block 23-24',
  ],
  'guide.md': [
    'section Guide > Install 1-17',
    'section Use 19-21',
    'section Use > With options 23-33',
    'section Use > With options 35-43',
    'section Use > With options 45-47',
    'section Use > With options > Deep 49-50',
    'section Use > Last 51-54',
  ],
  'data.json': [
    'block 1-77',
    'block 78-153',
    'block 154-243',
  ],
  'config.yaml': [
    'block 1-9',
  ],
};

describe('a file is cut to', () => {
  test.each(Object.keys(samples))('%s', async (file) => {
    expect(await outlineOf(samples[file]!, file)).toEqual(expected[file]);
    expect((await chunkText(samples[file]!, file)).fallback).toBeUndefined();
  });
});

describe('an edit changes the text of no chunk but its own', () => {
  const textsOf = async (text: string, file: string): Promise<string[]> => (await chunkText(text, file)).chunks.map(({ start, end }) => text.slice(start, end));

  test.each([
    ['parser.ts', "console.log(what)", "console.log('noted', what);\n    this.count++"],
    ['retry.py', 'return function(*args)', 'log.info("called")\n        return function(*args)'],
    ['server.go', 'return nil\n}', 'count++\n\treturn nil\n}'],
    ['lib.rs', "text.split('/')", "text.trim().split('/')"],
    ['Server.cs', 'Port = port;', 'Port = port;\n            Log.Write("made");'],
    ['guide.md', 'npm install', 'npm install\nnpm test'],
  ])('%s', async (file, before, after) => {
    const text = samples[file]!;
    expect(text).toContain(before);
    const old = await textsOf(text, file);
    const edited = await textsOf(text.replace(before, after), file);
    expect(edited).toHaveLength(old.length);
    expect(edited.filter((chunk, i) => chunk !== old[i])).toEqual([expect.stringContaining(after)]);
  });
});
