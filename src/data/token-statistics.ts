import { throwIfCancelled } from '../errors.ts';
import type { TrainingData } from './training.ts';

/**
 * How many tokens a text has with its instruction. It may stop counting beyond `most`, which tells a cut text as well as
 * all of them would.
 */
export type CountTokens = (text: string, instruction: string | undefined, most: number) => number;

/** Texts of one role, as a model sees them: cut to the longest it is given. */
export interface TextStatistics {
  readonly texts: number;
  /** Tokens a text; 0 where there is no text. */
  readonly meanTokens: number;
  readonly longestTokens: number;
  /** The share of the texts that are cut, 0 to 1. */
  readonly truncated: number;
}

/** What rows of a training are like, in tokens. */
export interface TokenStatistics {
  readonly rows: number;
  readonly query: TextStatistics;
  readonly positive: TextStatistics;
  readonly negative: TextStatistics;
}

/**
 * Counts the tokens of the first batches of a training, which are a sample of all its rows when they are shuffled.
 *
 * @param options.batches how many, at least 1; a batch is held at a time
 * @param options.maxLength tokens that a text is cut to
 * @throws CANCELLED between two batches, and what `batch` throws
 */
export async function measureTokens(
  data: TrainingData,
  options: { batches: number; maxLength: number; countTokens: CountTokens; signal?: AbortSignal | undefined },
): Promise<TokenStatistics> {
  const { batches, maxLength, countTokens, signal } = options;
  const [query, positive, negative] = [new Tally(maxLength), new Tally(maxLength), new Tally(maxLength)];
  const count = (text: string, instruction?: string): number => countTokens(text, instruction, maxLength + 1);
  let rows = 0;
  for (let step = 0; step < batches; step++) {
    throwIfCancelled(signal);
    for (const row of await data.batch(step)) {
      rows++;
      query.add(count(row.query, row.instruction));
      positive.add(count(row.positive));
      for (const text of row.negatives) negative.add(count(text));
    }
  }
  return { rows, query: query.statistics(), positive: positive.statistics(), negative: negative.statistics() };
}

class Tally {
  readonly #maxLength: number;
  #texts = 0;
  #tokens = 0;
  #longest = 0;
  #truncated = 0;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  add(tokens: number): void {
    const read = Math.min(tokens, this.#maxLength);
    this.#texts++;
    this.#tokens += read;
    this.#longest = Math.max(this.#longest, read);
    if (tokens > read) this.#truncated++;
  }

  statistics(): TextStatistics {
    const texts = this.#texts;
    const share = (sum: number): number => (texts === 0 ? 0 : sum / texts);
    return { texts, meanTokens: share(this.#tokens), longestTokens: this.#longest, truncated: share(this.#truncated) };
  }
}
