import type { CalibrationKind } from '../encoder/calibration.ts';
import type { TokenStatistics } from '../data/token-statistics.ts';
import type { RejectedRow } from '../data/triplet.ts';
import type { CheckpointSummary, Depth, JobProgress } from '../prune/job.ts';
import type { EvaluationMetric, StepMetrics } from './metrics.ts';
import type { TrainingSettings } from './settings.ts';

/** A training, as whoever asks for it says it. */
export interface TrainJob {
  /** A folder, `.gguf` or `.safetensors` file, hub id, or the default model's name. */
  readonly model: string;
  /** `.jsonl`(`.gz`) files or folders of them. */
  readonly data: readonly string[];
  /** The folder of the run, which becomes the checkpoint; of several depths a folder each stands in it. */
  readonly out: string;
  /** An adapter to go on from, in PEFT's format; where left out, the model's own if it keeps one apart, else a new one. */
  readonly adapter?: string | undefined;
  /** How many layers to keep; all where left out. `small` and `large` are read from one profile on the data. */
  readonly depths?: readonly TrainDepth[] | undefined;
  /** Fields left out are the model's own, or the paper's. */
  readonly settings?: Partial<Omit<TrainingSettings, 'layers'>> | undefined;
  /** What stands before every query of this encoder, in training where a row has none of its own. */
  readonly instruction?: string | undefined;
  /** Texts of full length that go through the model at a time; as many as memory allows, up to a limit, where left out. */
  readonly microBatch?: number | undefined;
  /** Steps between two saves; a run is also saved every two minutes. */
  readonly saveEvery?: number | undefined;
  readonly evaluation?: EvaluationRequest | undefined;
  /** Go on with the run that is in the folder, or begin one. */
  readonly resume?: boolean | undefined;
  /** Begin anew in a folder that has a checkpoint or an unfinished run. */
  readonly force?: boolean | undefined;
  /** Whether the adapter becomes part of the weights; it does where left out. */
  readonly merge?: boolean | undefined;
  readonly calibrate?: CalibrationKind | 'none' | undefined;
  /** Leading principal components that the calibration takes off as well. */
  readonly components?: number | undefined;
}

export type TrainDepth = Depth | { readonly kind: 'all' };

/** Measuring on texts that are not trained on. */
export interface EvaluationRequest {
  /** Triplets, or a folder with a corpus and queries. */
  readonly data: string;
  /** Steps between two evaluations; ten in a run where left out. The last step always ends with one. */
  readonly every?: number | undefined;
  /** Stop after so many evaluations in a row without gain; never where left out. */
  readonly earlyStop?: number | undefined;
}

/** What a training does now. `run` is the name of the checkpoint folder that is made. */
export type TrainProgress =
  | Exclude<JobProgress, { kind: 'calibrate' | 'write' }>
  | { readonly kind: 'note'; readonly sentence: string }
  | { readonly kind: 'rows'; readonly rows: ReadRows }
  | {
      readonly kind: 'step';
      readonly run: string;
      readonly metrics: StepMetrics;
      readonly steps: number;
      readonly tokensPerSecond: number;
      /** From the last steps; undefined before there are two. */
      readonly secondsLeft: number | undefined;
      /** What the process holds now. */
      readonly bytes: number;
    }
  | { readonly kind: 'evaluate'; readonly run: string; readonly what: string; readonly done: number; readonly total: number }
  | {
      readonly kind: 'evaluated';
      readonly run: string;
      /** 0 is the model as it was. */
      readonly step: number;
      readonly metric: EvaluationMetric;
      readonly value: number;
      /** How long it took, once the model was loaded. */
      readonly seconds: number;
      readonly isBest: boolean;
    }
  | { readonly kind: 'saved'; readonly run: string; readonly step: number }
  | { readonly kind: 'calibrate'; readonly run: string; readonly done: number; readonly total: number }
  | { readonly kind: 'write'; readonly run: string; readonly done: number; readonly total: number };

/** What the data to train on holds, and what of it is not used. */
export interface ReadRows {
  readonly rows: number;
  readonly batchesPerEpoch: number;
  readonly rejected: { readonly count: number; readonly first: readonly RejectedRow[] };
  readonly repeated: { readonly count: number; readonly first: readonly RejectedRow[] };
  /** Data sets with fewer rows than a batch: none of them is trained on. */
  readonly withoutBatch: readonly { readonly name: string; readonly rows: number }[];
  /** Of the first batches. */
  readonly tokens: TokenStatistics;
}

/** One checkpoint that a training has made. */
export interface TrainedCheckpoint extends CheckpointSummary {
  /** Steps that were done, and the one whose parameters were kept. */
  readonly steps: number;
  readonly step: number;
  readonly loss: { readonly first: number; readonly last: number };
  readonly evaluation: { readonly metric: EvaluationMetric; readonly before: number; readonly best: StepValue; readonly last: StepValue } | null;
  readonly tokens: number;
  readonly seconds: number;
}

export interface StepValue {
  readonly step: number;
  readonly value: number;
}

export interface TrainResult {
  readonly checkpoints: readonly TrainedCheckpoint[];
  /** Which copy of the model was used, in a sentence. */
  readonly source: string;
  /** Rows that were trained on, and those left out: `rejected.jsonl` in the folder names each that cannot be used. */
  readonly data: { readonly rows: number; readonly rejected: number; readonly repeated: number };
}
