import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainingData } from '../../data/training.ts';
import { withAdapter } from '../../encoder/adapted.ts';
import { writeAdapter } from '../../encoder/adapter.ts';
import { writeFolderAtomically } from '../../files.ts';
import type { Checkpoint, LoraParameters } from '../../models/types.ts';
import { jsonFile } from '../../prune/checkpoint-file.ts';
import { checkpointTexts } from '../../prune/checkpoint-texts.ts';
import { adapterFolder, type Manifest } from '../../prune/manifest.ts';
import { PYTHON_MODULE_NAME, pythonModule } from '../../prune/python-module.ts';
import { configFile, writeModelFiles, writeTexts } from '../../prune/write-checkpoint.ts';
import { initialState, trainedModel } from '../../train/loop.ts';
import { modulesOf } from '../../train/programs.ts';
import type { TrainingRecord } from '../../train/record.ts';
import type { RunDescription } from '../../train/run-folder.ts';
import { loraOf } from '../../train/settings.ts';
import { trainedManifest } from '../../train/write.ts';
import { createdBy } from '../../version.ts';
import { jobReadme } from './readme.ts';
import { SCRIPT_NAME, trainScript } from './train-script.ts';
import { dataFiles, writeBatches, type WrittenData } from './write-data.ts';

/** The file that makes a folder a training job. */
export const jobFile = 'training-job.json';

/** The run that is to be done elsewhere. */
export interface ExportedRun {
  /** The frozen model, whole: the run keeps its first layers. */
  readonly checkpoint: Checkpoint;
  readonly data: TrainingData;
  readonly description: Pick<RunDescription, 'model' | 'adapter' | 'data' | 'depth' | 'settings' | 'encoder' | 'curve'>;
  /** What the LoRA begins with; a new one, as our own trainer draws it from the seed, when undefined. */
  readonly start: LoraParameters | undefined;
  readonly saveEvery: number;
  /** Whether the adapter becomes part of the weights. */
  readonly merge: boolean;
}

export interface WriteJobOptions {
  /** Replace a job that is already there. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: WriteJobProgress) => void) | undefined;
}

/** How far the writing is: steps whose rows are written, then bytes of the model. */
export interface WriteJobProgress {
  readonly what: 'batches' | 'model';
  readonly done: number;
  readonly total: number;
}

/**
 * Writes a run as a folder that appears whole or not at all: its rows in the order of its steps, its settings, the frozen
 * model cut to its layers, the adapter that it begins with, and a script for sentence-transformers and peft on accelerate
 * whose output is a checkpoint of ours.
 *
 * Errors: EXISTS, those of `writeBatches` and `writeModelFiles`, WRITE_FAILED, CANCELLED.
 */
export async function writeTrainingJob(out: string, run: ExportedRun, { force, signal, onProgress }: WriteJobOptions = {}): Promise<WrittenData> {
  const { checkpoint, data, description, saveEvery, merge } = run;
  const { settings } = description;
  const frozen: Checkpoint = { ...checkpoint, adapter: undefined };
  const model = trainedModel(frozen, settings);
  const { parameters } = initialState(model, settings.seed, run.start);
  const trained = withAdapter(frozen, { lora: loraOf(settings), parameters });
  const manifest = await trainedManifest({ trained, description, record: recordToFill(description), calibration: undefined, merge });

  let written: WrittenData = { rows: 0, skipped: 0 };
  const fill = async (folder: string): Promise<void> => {
    const { tokenizer } = checkpoint;
    const onStep = (done: number, total: number): void => onProgress?.({ what: 'batches', done, total });
    written = await writeBatches(join(folder, dataFiles.folder), data, { settings, tokenizer, signal, onStep });
    const base = join(folder, 'base');
    await mkdir(base);
    const withoutAdapter: Manifest = { ...manifest, adapter: null };
    await writeModelFiles(base, { checkpoint: frozen, manifest: withoutAdapter }, { signal, onProgress: (done, total) => onProgress?.({ what: 'model', done, total }) });
    const adapter = join(folder, adapterFolder);
    await mkdir(adapter);
    await writeAdapter(adapter, { lora: loraOf(settings), modules: modulesOf(model), parameters }, checkpoint.name);
    await writeTexts(join(folder, 'checkpoint'), [configFile({ checkpoint: trained, manifest }), ...(await checkpointTexts(frozen, manifest))]);
    await writeTexts(folder, [
      { path: 'README.md', content: jobReadme(description, written) },
      { path: SCRIPT_NAME, content: trainScript },
      { path: `${PYTHON_MODULE_NAME}.py`, content: pythonModule },
      jsonFile(jobFile, { createdBy, settings, saveEvery, merge }),
    ]);
  };
  await writeFolderAtomically(out, fill, { force, marker: jobFile, signal });
  return written;
}

/** What the manifest will keep of the training; the script fills in what only its steps tell. */
function recordToFill({ settings, adapter, data }: ExportedRun['description']): TrainingRecord {
  const loss = { first: 0, last: 0, lowest: 0, window: 0 };
  return { settings, adapter, data, steps: 0, step: 0, loss, curve: [], evaluation: null, tokens: 0, seconds: 0 };
}
