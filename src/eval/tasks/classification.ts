import * as z from 'zod';
import { textField } from '../../data/rows.ts';
import { errors } from '../../errors.ts';
import { notAnObject } from '../corpus.ts';
import { fitLogistic, predict, sklearnDefaults } from '../learning/logistic-regression.ts';
import { MersenneTwister } from '../learning/mersenne-twister.ts';
import { deviation, mean } from '../statistics/mean.ts';
import { runSteps } from '../steps.ts';
import { labelField, type TaskReading } from './rows.ts';
import type { VectorKind } from './task.ts';

interface LabelledText {
  readonly text: string;
  readonly label: string;
}

interface ClassificationData {
  /** The training texts that any experiment draws. */
  readonly train: readonly LabelledText[];
  readonly test: readonly LabelledText[];
  /** Places in `train`, an experiment each. */
  readonly samples: ReadonlyArray<readonly number[]>;
}

const experiments = 10;
const defaultSamplesPerLabel = 8;

const rowSchema = z.object({ text: textField('text'), label: labelField('label') }, notAnObject);

/**
 * Classification: `train` and `test` files with rows of `text` and `label`, measured as mteb does: in ten experiments a
 * few texts of each label are drawn from the training file, a logistic regression is fitted to their vectors, and its
 * accuracy on all test texts is averaged. The draws are mteb's own, down to its random numbers; so are the regression's
 * steps, because it often stops at its 100 iterations. Texts are encoded as queries.
 */
export const classification: VectorKind<ClassificationData> = {
  fields: [['text'], ['label']],
  shiftInvariant: false,
  read: async ({ test: testFile, train: trainFile, samplesPerLabel = defaultSamplesPerLabel }, reading) => {
    if (trainFile === undefined) throw errors.notFound(`${testFile} has no train.jsonl or train.jsonl.gz beside it: a classifier has to be trained on something.`);
    const all = await readLabelled(trainFile, reading);
    const test = await readLabelled(testFile, reading);
    const labels = new Set(all.map(({ label }) => label));
    if (labels.size < 2) throw errors.badData(`${trainFile} names the one label ${JSON.stringify([...labels][0])}: there have to be at least two to tell apart.`);
    if (!test.some(({ label }) => labels.has(label))) throw errors.badData(`${testFile} names no label of ${trainFile}, so that every answer would be wrong: are they files of one task?`);
    return { test, ...draw(all, samplesPerLabel, reading.seed) };
  },
  size: ({ train, test }) => ({ train: train.length, test: test.length, labels: new Set(train.map(({ label }) => label)).size }),
  texts: ({ train, test }) => ({ query: [...train, ...test].map(({ text }) => text), document: [] }),
  async *measure({ train, test, samples }, { query }, { signal }) {
    const labels = [...new Set(train.map(({ label }) => label))].sort();
    const number = new Map(labels.map((label, i) => [label, i]));
    const testVectors = query.slice(train.length);
    const accuracies: number[] = [];
    const correct = test.map(() => 0);
    let stopped = 0;
    for (const sample of samples) {
      const vectors = sample.map((i) => query[i]!);
      const classes = sample.map((i) => number.get(train[i]!.label)!);
      const model = await runSteps(fitLogistic(vectors, classes, labels.length), signal);
      const right = predict(model, testVectors).map((predicted, i) => Number(labels[predicted] === test[i]!.label));
      right.forEach((is, i) => (correct[i]! += is / samples.length));
      accuracies.push(mean(right));
      if (!model.converged) stopped++;
      yield { what: 'fitting classifiers', done: accuracies.length, total: samples.length };
    }
    return {
      metrics: { accuracy: mean(accuracies), accuracyDeviation: deviation(accuracies) },
      each: { accuracy: correct },
      notes: [...unknownLabels(test, number), ...unconverged(stopped, samples.length)],
    };
  },
};

async function readLabelled(file: string, reading: TaskReading): Promise<LabelledText[]> {
  return reading.collect(file, rowSchema, (row): LabelledText[] => [row]);
}

/**
 * Draws up to so many texts of each label for every experiment. mteb shuffles one list of places over and over, each
 * time with a NumPy generator of the same seed, and takes the first of each label.
 */
function draw(all: readonly LabelledText[], samplesPerLabel: number, seed: number): Pick<ClassificationData, 'train' | 'samples'> {
  const order = all.map((_, i) => i);
  const drawn = Array.from({ length: experiments }, () => {
    new MersenneTwister(seed).shuffle(order);
    const counts = new Map<string, number>();
    return order.filter((i) => {
      const { label } = all[i]!;
      const count = counts.get(label) ?? 0;
      if (count >= samplesPerLabel) return false;
      counts.set(label, count + 1);
      return true;
    });
  });
  const used = [...new Set(drawn.flat())].sort((a, b) => a - b);
  const place = new Map(used.map((i, at) => [i, at]));
  return { train: used.map((i) => all[i]!), samples: drawn.map((sample) => sample.map((i) => place.get(i)!)) };
}

function unknownLabels(test: readonly LabelledText[], known: ReadonlyMap<string, number>): string[] {
  const unknown = test.filter(({ label }) => !known.has(label)).length;
  return unknown === 0 ? [] : [`${unknown} of ${test.length} test texts have a label that no training text has, and count as wrong.`];
}

function unconverged(stopped: number, total: number): string[] {
  return stopped === 0 ? [] : [`The classifier stopped at its ${sklearnDefaults.maxIterations} iterations in ${stopped} of ${total} experiments, as mteb's would.`];
}
