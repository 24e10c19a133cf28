import { formatBytes, formatDuration } from '../format.ts';
import type { EvaluationMetric } from '../train/metrics.ts';
import type { ReadRows, TrainProgress, TrainResult } from '../train/job.ts';
import { showProfileProgress } from './commands/profile.ts';
import { showSteps, type ProgressLine } from './progress.ts';
import { describeRejected } from './sentences.ts';

const metricTitles: Readonly<Record<EvaluationMetric, string>> = { loss: 'held-out loss', ndcgAt10: 'nDCG@10' };

/** Runs a training to its end: its step on the line, what is worth keeping on lines of their own. */
export async function showTraining<R>(running: AsyncGenerator<TrainProgress, R>, line: ProgressLine): Promise<R> {
  return showSteps(running, line, (progress) => showTrainProgress(progress, line));
}

export function showTrainProgress(progress: TrainProgress, line: ProgressLine): void {
  switch (progress.kind) {
    case 'model':
      return line.show(progress.what, progress.done, progress.total, progress.done === 0 ? '' : formatBytes(progress.done));
    case 'data':
      return line.show('reading rows', progress.done, progress.total);
    case 'profile':
      return showProfileProgress(progress.progress, line);
    case 'note':
      return say(progress.sentence, line);
    case 'rows':
      return say(describeRows(progress.rows), line);
    case 'step':
      return line.show(`training ${progress.run}`, progress.metrics.step, progress.steps, describeStep(progress));
    case 'evaluate':
      return line.show(`measuring ${progress.run}`, progress.done, progress.total);
    case 'evaluated': {
      const { step, metric, value, isBest } = progress;
      return say(`step ${step}: ${metricTitles[metric]} ${value.toFixed(4)}${isBest ? ', the best so far' : ''}`, line);
    }
    case 'saved':
      return;
    case 'calibrate':
      return line.show(`calibrating ${progress.run}`, progress.done, progress.total);
    case 'write':
      return line.show(`writing ${progress.run}`, progress.done, progress.total, `${formatBytes(progress.done)} of ${formatBytes(progress.total)}`);
  }
}

function say(text: string, line: ProgressLine): void {
  line.end();
  process.stderr.write(`${text.trimEnd()}\n`);
}

function describeStep({ metrics: { step, loss, lr, gradNorm }, steps, tokensPerSecond, secondsLeft, bytes }: Extract<TrainProgress, { kind: 'step' }>): string {
  const left = secondsLeft === undefined ? '' : `, ${formatDuration(secondsLeft)} left`;
  return `step ${step} of ${steps}, loss ${loss.toFixed(4)}, lr ${lr.toExponential(1)}, gradient ${gradNorm.toFixed(3)}, ${Math.round(tokensPerSecond)} tokens/s, ${formatBytes(bytes)}${left}`;
}

/** What the data holds, and what of it is not trained on. */
function describeRows({ rows, batchesPerEpoch, rejected, repeated, withoutBatch, tokens }: ReadRows): string {
  const { query, positive, negative } = tokens;
  const mean = (title: string, { meanTokens, texts }: ReadRows['tokens']['query']): string[] => (texts === 0 ? [] : [`${title} ${Math.round(meanTokens)}`]);
  const cut = [query, positive, negative].reduce((sum, { truncated, texts }) => sum + truncated * texts, 0) / (query.texts + positive.texts + negative.texts);
  const lengths = [...mean('queries', query), ...mean('positives', positive), ...mean('negatives', negative)].join(', ');
  return [
    describeRejected(rejected.first, rejected.count),
    repeated.count === 0 ? '' : `${repeated.count} ${repeated.count === 1 ? 'row repeats an earlier one and is' : 'rows repeat an earlier one and are'} left out\n`,
    ...withoutBatch.map(({ name, rows }) => `${name} has ${rows} ${rows === 1 ? 'row' : 'rows'}, fewer than a batch: none of them is trained on\n`),
    `${rows} rows, ${batchesPerEpoch} batches a pass; tokens a text: ${lengths}${cut > 0 ? `; ${(100 * cut).toFixed(1)} % of the texts are cut to the length` : ''}\n`,
  ].join('');
}

/** What a training has made, for a person. */
export function describeTrained({ checkpoints }: TrainResult): string {
  return checkpoints
    .map(({ path, layersKept, layersOfBase, parameters, bytes, steps, step, loss, evaluation, tokens, seconds }) => {
      const kept = step === steps ? `${steps} steps` : `step ${step} of ${steps}, the best`;
      const measured = evaluation === null ? '' : `${metricTitles[evaluation.metric]} ${evaluation.before.toFixed(4)} before, ${evaluation.best.value.toFixed(4)} after step ${evaluation.best.step}\n`;
      return (
        `${path}: ${layersKept} of ${layersOfBase} layers, ${(parameters / 1e6).toFixed(1)} million parameters, ${formatBytes(bytes)}\n` +
        `${kept}, loss ${loss.first.toFixed(4)} to ${loss.last.toFixed(4)}, ${tokens} tokens in ${formatDuration(seconds)} (${Math.round(tokens / seconds)} tokens/s)\n${measured}`
      );
    })
    .join('');
}
