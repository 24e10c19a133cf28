import type { Triplet } from './triplet.ts';

const wikipediaForQuestion = 'Given a question, retrieve Wikipedia passages that answer the question';
const wikipediaThatAnswer = 'Retrieve Wikipedia passages that answer the question';
const chineseSearch = 'Given a Chinese search query, retrieve web passages that answer the question';
const entailment = 'Given a premise, retrieve a hypothesis that is entailed by the premise';
const similarText = 'Retrieve semantically similar text';
const equivalentQuestions = 'Given a question, retrieve questions that are semantically equivalent to the given question';
const sameMeaning = 'Find questions that have the same meaning as the input question';

/**
 * What the paper puts before the queries of each data set of E5's public data, by its file's name; where there are two,
 * rows take them in turn. `_split1` and `_split2` are the halves in which two of the sets are also handed out.
 * Source: arXiv 2410.14578 after LLM2Vec (github.com/McGill-NLP/llm2vec, llm2vec/dataset/E5Data.py).
 */
const byDataset: Readonly<Record<string, readonly string[]>> = {
  allnli: [entailment, similarText],
  allnli_split1: [entailment],
  allnli_split2: [similarText],
  dureader: [chineseSearch],
  eli5_question_answer: ['Provided a user question, retrieve the highest voted answers on Reddit ELI5 forum'],
  fever: ['Given a claim, retrieve documents that support or refute the claim'],
  hotpot_qa: ['Given a multi-hop question, retrieve documents that can help answer the question'],
  miracl: [wikipediaForQuestion],
  mrtydi: [wikipediaForQuestion],
  msmarco_document: ['Given a web search query, retrieve relevant documents that answer the query'],
  msmarco_passage: ['Given a web search query, retrieve relevant passages that answer the query'],
  nq: [wikipediaForQuestion],
  quora_duplicates: [equivalentQuestions, sameMeaning],
  quora_duplicates_split1: [equivalentQuestions],
  quora_duplicates_split2: [sameMeaning],
  squad: [wikipediaThatAnswer],
  t2ranking: [chineseSearch],
  trivia_qa: [wikipediaThatAnswer],
};

/** The paper's instructions for the data set of that name, which its rows take in turn; none for other names. */
export function paperInstructions(dataset: string): readonly string[] {
  return Object.hasOwn(byDataset, dataset) ? (byDataset[dataset] as readonly string[]) : [];
}

/** The row with the instruction that it is trained with, as row number `row` of its data set. */
export function withInstruction(triplet: Triplet, instructions: readonly string[], row: number): Triplet {
  if (triplet.instruction !== undefined || instructions.length === 0) return triplet;
  return { ...triplet, instruction: instructions[row % instructions.length] as string };
}
