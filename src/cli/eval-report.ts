import type { Interval } from '../eval/bootstrap.ts';
import { mainScore, type Average, type Scoreboard, type Standing } from '../eval/scoreboard.ts';
import type { Differences, Variant } from '../eval/system.ts';
import type { WorkspaceEvaluation } from '../eval/workspace.ts';
import { mainMetrics } from '../eval/tasks/kinds.ts';
import { counted } from '../format.ts';
import { table } from './output.ts';

/** A model that has been measured at a depth. */
export interface EvaluatedModel {
  readonly name: string;
  readonly fingerprint: string;
  readonly layers: number;
}

/** How a table calls the metrics that are compared. */
const metricTitles: Readonly<Record<string, string>> = {
  mrrAt10: 'MRR@10',
  ...Object.fromEntries(Object.values(mainMetrics).map(({ metric, title }) => [metric, title])),
};
const fused: readonly Variant[] = ['raw+bm25', 'calibrated+bm25'];

/** The JSON document of an evaluation. */
export function documentOf(boards: readonly Scoreboard[], means: readonly Average[], models: readonly EvaluatedModel[]): object {
  const tasks = boards.map(({ task: { name, kind, instruction, size, rejected, fingerprint }, standings, notes }) => ({
    name,
    kind,
    metric: mainMetrics[kind].metric,
    instruction: instruction ?? null,
    data: { ...size, rejected: rejected.length, fingerprint },
    systems: standings.map(({ score: { system, model, variant, metrics }, againstBm25, againstBase }) => ({ system, model, variant, metrics, againstBm25, againstBase })),
    notes,
  }));
  return { tasks, averages: boards.length === 1 ? [] : means, models };
}

/** The same for a person: tables, what the differences are, and what it was measured on. */
export function describeBoards(boards: readonly Scoreboard[], means: readonly Average[], models: readonly EvaluatedModel[]): string {
  const retrieval = boards.filter(({ task }) => task.kind === 'retrieval');
  const parts = retrieval.map((board) => (boards.length === 1 ? rankings(board) : `${board.task.name}\n${rankings(board)}`));
  if (retrieval.length < boards.length || boards.length > 1) parts.push(overview(boards, means));
  const ends = [...boards.map(describeData), ...models.map(({ name, layers, fingerprint }) => `model ${name}, ${layers} of its layers, fingerprint ${fingerprint}\n`)];
  const sentences = boards.flatMap((board) => [...differences(board, boards.length > 1), ...board.notes]).map((sentence) => `${sentence}\n`);
  return [...parts, sentences.join(''), `${legend(boards)}${ends.join('')}`].filter((part) => part !== '').join('\n');
}

/** The searches of a workspace for a person. */
export function describeWorkspace({ queries, files, chunks, missing, systems }: WorkspaceEvaluation): string {
  const rows = systems.map(({ model, mode, metrics: m, overWords }) => [
    model === undefined ? 'words alone' : `${model}, ${mode}`,
    ...(['mrrAt10', 'ndcgAt10', 'recallAt1', 'recallAt10', 'recallAt100'] as const).map((metric) => share(m[metric])),
    overWords === undefined ? '' : interval(overWords.mrrAt10),
    overWords === undefined ? '' : interval(overWords.ndcgAt10),
  ]);
  const head = ['', 'MRR@10', 'nDCG@10', 'recall@1', '@10', '@100', 'MRR@10 over words (95 %)', 'nDCG@10 over words (95 %)'];
  const unseen = missing === 0 ? '' : `${counted(missing, 'file')} that answer${missing === 1 ? 's' : ''} queries ${missing === 1 ? 'is' : 'are'} not indexed: no search finds ${missing === 1 ? 'it' : 'them'}\n`;
  return `${table([head, ...rows])}\n${queries} ${queries === 1 ? 'query' : 'queries'} over ${counted(chunks, 'chunk')} of ${counted(files, 'file')}\n${unseen}`;
}

function rankings({ standings }: Scoreboard): string {
  const rows = standings.map(({ score: { system, metrics: m }, againstBm25 }) => [
    system,
    ...['mrrAt10', 'ndcgAt10', 'recallAt1', 'recallAt10', 'recallAt100'].map((metric) => share(m[metric]!)),
    againstBm25 === undefined ? '' : interval(againstBm25['mrrAt10']!),
  ]);
  return table([['', 'MRR@10', 'nDCG@10', 'recall@1', '@10', '@100', 'MRR@10 over BM25 (95 %)'], ...rows]);
}

/** Every task with the metric that counts, and the mean over them. */
function overview(boards: readonly Scoreboard[], means: readonly Average[]): string {
  const rows = boards.flatMap(({ task, standings }) => [
    [`${task.name} (${task.kind})`, mainMetrics[task.kind].title, ''],
    ...standings.map(({ score, againstBase }) => {
      const over = againstBase?.differences[mainMetrics[task.kind].metric];
      return [`  ${score.system}`, share(mainScore(task, score)), over === undefined ? '' : interval(over)];
    }),
  ]);
  const mean = boards.length === 1 ? [] : [[`mean of ${boards.length} tasks`, '', ''], ...means.map(({ system, score }) => [`  ${system}`, share(score), ''])];
  const compared = boards.some(({ standings }) => standings.some(({ againstBase }) => againstBase !== undefined));
  return table([...(compared ? [['', '', 'over its base (95 %)']] : []), ...rows, ...mean]);
}

/** What BM25 gains by an encoder, and what a model has over its base, a sentence each. */
function differences({ task, standings }: Scoreboard, several: boolean): string[] {
  const where = several ? `${task.name}: ` : '';
  const sentence = ({ score }: Standing, other: string, of: Differences): string[] => {
    const parts = Object.entries(of).map(([metric, by]) => `${signed(by.mean)} to ${other} in ${metricTitles[metric]}, 95 % interval ${bounds(by)}${by.low <= 0 && by.high >= 0 ? ' (not told apart)' : ''}`);
    return parts.length === 0 ? [] : [`${where}${score.system} adds ${parts.join('; ')}.`];
  };
  return standings.flatMap((standing) => {
    const { score, againstBm25, againstBase } = standing;
    const overBm25 = againstBm25 !== undefined && fused.includes(score.variant) ? sentence(standing, 'BM25 alone', againstBm25) : [];
    const overBase = againstBase === undefined ? [] : sentence(standing, againstBase.system, againstBase.differences);
    return [...overBm25, ...overBase];
  });
}

function legend(boards: readonly Scoreboard[]): string {
  const variants = new Set(boards.flatMap(({ standings }) => standings.map(({ score }) => score.variant)));
  const lines = [
    ...(variants.has('calibrated') ? ["calibrated: by the checkpoint's calibration; where it keeps none, the mean of the task's own texts taken off\n"] : []),
    ...(variants.has('raw+bm25') ? ['+ BM25: both fused by their scores\n'] : []),
  ];
  return lines.join('');
}

function describeData({ task: { name, size, instruction, fingerprint } }: Scoreboard): string {
  const counts = Object.entries(size).map(([what, count]) => `${count} ${what}`);
  const asked = instruction === undefined ? "the checkpoint's own instruction" : instruction === '' ? 'no instruction' : `instruction ${JSON.stringify(instruction)}`;
  return `data ${name}: ${counts.join(', ')}, ${asked}, fingerprint ${fingerprint.slice(0, 16)}\n`;
}

const share = (x: number): string => x.toFixed(3);

function interval(by: Interval): string {
  return `${signed(by.mean)} ${bounds(by)}`;
}

function bounds({ low, high }: Interval): string {
  return `[${signed(low)}, ${signed(high)}]`;
}

function signed(x: number): string {
  return `${x < 0 ? '−' : '+'}${Math.abs(x).toFixed(3)}`;
}
