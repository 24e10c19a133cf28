import { readReference, tripletsOf } from '../reference.ts';

export const reference = readReference('llama');

const jsonLines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** The twelve triplets of the reference, as a data file. */
export const triplets = jsonLines(tripletsOf(reference).map(({ negatives, ...row }) => ({ ...row, negative: negatives[0] })));

/** The settings of the reference's losses. */
export const asReference = ['--batch-size', '4', '--batches', '3', '--order', 'file', '--max-length', '96', '--threads', '2'];

/** A small corpus and the questions that it answers. */
export const corpus = jsonLines([
  { id: 'stack', code: 'push(item) { this.items.push(item); }' },
  { id: 'queue', code: 'enqueue(item) { this.tail = this.tail.next = { item }; }' },
  { id: 'sort', text: 'Sorts the numbers by merging halves that are sorted already.' },
  { id: 'hash', text: 'Maps a key to its bucket by a hash of its bytes.' },
  { id: 'tree', text: 'Rotates a node of the tree when one side has grown too tall.' },
]);
export const queries = jsonLines([
  { id: 'q1', query: 'put an item on top of the stack', relevant: ['stack'] },
  { id: 'q2', query: 'find the bucket of a key', relevant: ['hash'] },
  { id: 'q3', query: 'keep the tree balanced', relevant: ['tree', 'sort'] },
]);
