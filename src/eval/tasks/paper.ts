/** What a benchmark says of one of its tasks. */
export interface KnownTask {
  /** Stands before queries. */
  readonly instruction: string;
  /** Training texts a label in one experiment, where it is not the usual number. */
  readonly samplesPerLabel?: number;
}

const similarText: KnownTask = { instruction: 'Retrieve semantically similar text:' };

/**
 * The fifteen tasks of MTEB that the paper measures on, by mteb's names, with the instructions of mteb's own task
 * definitions; the colon at the end is the reference code's.
 */
export const paperTasks: ReadonlyMap<string, KnownTask> = new Map<string, KnownTask>([
  ['SciFact', { instruction: 'Given a scientific claim, retrieve documents that support or refute the claim:' }],
  ['ArguAna', { instruction: 'Given a claim, find documents that refute the claim:' }],
  ['NFCorpus', { instruction: 'Given a question, retrieve relevant documents that best answer the question:' }],
  ['StackOverflowDupQuestions', { instruction: 'Retrieve duplicate questions from StackOverflow forum:' }],
  ['SciDocsRR', { instruction: 'Given a title of a scientific paper, retrieve the titles of other relevant papers:' }],
  ['BiorxivClusteringS2S', { instruction: 'Identify the main category of Biorxiv papers based on the titles:' }],
  ['MedrxivClusteringS2S', { instruction: 'Identify the main category of Medrxiv papers based on the titles:' }],
  ['TwentyNewsgroupsClustering', { instruction: 'Identify the topic or theme of the given news articles:' }],
  ['SprintDuplicateQuestions', { instruction: 'Retrieve duplicate questions from Sprint forum:' }],
  ['Banking77Classification', { instruction: 'Given a online banking query, find the corresponding intents:' }],
  [
    'EmotionClassification',
    {
      instruction: 'Classify the emotion expressed in the given Twitter message into one of the six emotions: anger, fear, joy, love, sadness, and surprise:',
      samplesPerLabel: 16,
    },
  ],
  ['MassiveIntentClassification', { instruction: 'Given a user utterance as query, find the user intents:' }],
  ['STS17', similarText],
  ['SICK-R', similarText],
  ['STSBenchmark', similarText],
]);
