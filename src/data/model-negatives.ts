import { dot } from '../dot.ts';
import { throwIfCancelled } from '../errors.ts';
import { codeWords } from '../text/words.ts';
import { isNearCopy } from './near-copy.ts';
import type { Triplet } from './triplet.ts';

/** Vectors of texts as the model that is trained makes them, one each; of queries with their instructions. */
export interface VectorSource {
  queries(rows: readonly Triplet[]): Promise<readonly Float32Array[]>;
  documents(texts: readonly string[]): Promise<readonly Float32Array[]>;
}

export interface ModelNegativesOptions {
  /** Of each row. */
  readonly count: number;
  /**
   * A text is a negative only where its cosine with the query is at most this share of the positive's; 0.95 where left
   * out. What is nearer may well be an answer that nobody marked.
   * Source: "TopK-PercPos" of NV-Retriever (Moreira et al. 2024, arXiv 2407.15831, section 4.2).
   */
  readonly margin?: number;
  /** Rows whose texts are ranked against each other; 1,024 where left out. What is held is their vectors. */
  readonly blockRows?: number;
  readonly signal?: AbortSignal | undefined;
}

const MARGIN = 0.95;
const BLOCK_ROWS = 1024;

/**
 * Gives rows the negatives that the model itself finds hardest: of all positives and negatives in a block of rows, those
 * nearest to the query that stay below the margin, and that are no other positive of the same query and no near copy of
 * its own. Where the model finds fewer, the row's own follow, as far as they are others. Rows come in their order; shuffle
 * them before, so that a block has texts of all kinds.
 *
 * @throws what the encoder throws, CANCELLED
 */
export async function* modelNegatives(
  rows: Iterable<Triplet> | AsyncIterable<Triplet>,
  encoder: VectorSource,
  options: ModelNegativesOptions,
): AsyncGenerator<Triplet> {
  const { blockRows = BLOCK_ROWS } = options;
  let block: Triplet[] = [];
  for await (const row of rows) {
    block.push(row);
    if (block.length < blockRows) continue;
    yield* ofBlock(block, encoder, options);
    block = [];
  }
  if (block.length > 0) yield* ofBlock(block, encoder, options);
}

async function* ofBlock(rows: readonly Triplet[], encoder: VectorSource, { count, margin = MARGIN, signal }: ModelNegativesOptions): AsyncGenerator<Triplet> {
  throwIfCancelled(signal);
  const texts = [...new Set(rows.flatMap(({ positive, negatives }) => [positive, ...negatives]))];
  const numbers = new Map(texts.map((text, i) => [text, i]));
  const queries = (await encoder.queries(rows)).map(unit);
  const documents = (await encoder.documents(texts)).map(unit); // [texts][D]
  const words = texts.map((text): ReadonlySet<string> => new Set(codeWords(text)));
  const answers = new Map<string, Set<number>>();
  for (const { query, positive } of rows) {
    const same = answers.get(query);
    const number = numbers.get(positive) as number;
    if (same === undefined) answers.set(query, new Set([number]));
    else same.add(number);
  }
  for (const [i, row] of rows.entries()) {
    throwIfCancelled(signal);
    const query = queries[i] as Float32Array;
    const positive = numbers.get(row.positive) as number;
    const scores = Float64Array.from(documents, (document) => dot(query, document));
    const most = margin * (scores[positive] as number);
    const own = answers.get(row.query) as ReadonlySet<number>;
    const isNegative = (number: number): boolean => !own.has(number) && !isNearCopy(words[number] as ReadonlySet<string>, words[positive] as ReadonlySet<string>);
    // A positive on the far side of the query tells nothing of what is too near.
    const allowed = most > 0 ? Array.from(scores.keys()).filter((number) => (scores[number] as number) <= most && (scores[number] as number) > 0) : [];
    const found = new Set<number>();
    for (const number of allowed.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b)) {
      if (found.size === count) break;
      if (isNegative(number)) found.add(number);
    }
    for (const text of row.negatives) if (found.size < count) found.add(numbers.get(text) as number);
    yield { ...row, negatives: Array.from(found, (number) => texts[number] as string) };
  }
}

/** The vector at length 1; zeros as they are. */
function unit(vector: Float32Array): Float32Array {
  const norm = Math.sqrt(dot(vector, vector)) || 1;
  return vector.map((value) => value / norm);
}
