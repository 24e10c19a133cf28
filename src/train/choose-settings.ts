import { given } from '../given.ts';
import type { Checkpoint, Lora } from '../models/types.ts';
import { defaultSettings } from '../prune/checkpoint-settings.ts';
import type { CheckpointEncoderSettings } from '../prune/manifest.ts';
import { checkEncoderSettings } from '../prune/write-checkpoint.ts';
import { defaultTraining, settingsOfAdapter, type TrainingSettings } from './settings.ts';

/** The share of a short run over which the rate rises; a run of the paper's length has the paper's warm-up. */
const warmupShare = 0.3;

/** How a run trains, and how the checkpoint that it makes will encode. */
export interface ChosenSettings {
  readonly training: Omit<TrainingSettings, 'layers'>;
  readonly encoder: CheckpointEncoderSettings;
}

export interface ChoiceContext {
  readonly instruction: string | undefined;
  /** The adapter that is gone on from. */
  readonly start: Lora | undefined;
  /** Of the run that goes on, which are then all that counts beside what is asked for. */
  readonly earlier: TrainingSettings | undefined;
}

/**
 * What is asked for, over what an adapter that is gone on from has, over the model's own attention and pooling, over the
 * paper's. Texts are no longer than the model reads. The checkpoint encodes as it was trained, but for the length, which
 * is a matter of time alone, and for the separator, which the paper has only in training. Errors: USAGE, BAD_MANIFEST.
 */
export async function chooseSettings(
  checkpoint: Checkpoint,
  asked: Partial<Omit<TrainingSettings, 'layers'>>,
  { instruction, start, earlier }: ChoiceContext,
): Promise<ChosenSettings> {
  const own = await defaultSettings(checkpoint);
  const steps = asked.steps ?? defaultTraining.steps;
  const training = {
    ...defaultTraining,
    attention: own.attention,
    pooling: own.pooling,
    maxLength: Math.min(defaultTraining.maxLength, checkpoint.config.maxPositionEmbeddings),
    warmup: Math.min(defaultTraining.warmup, Math.floor(warmupShare * steps)),
    ...(start === undefined ? {} : settingsOfAdapter(start, asked)),
    ...earlier,
    ...given(asked),
  };
  const { attention, pooling } = training;
  const { instruction: ownInstruction, ...kept } = own;
  const before = (instruction ?? ownInstruction ?? '').trim() === '' ? {} : { instruction: instruction ?? ownInstruction! };
  const encoder = { ...kept, attention, pooling, ...given({ separator: asked.separator }), ...before };
  checkEncoderSettings(checkpoint, encoder);
  checkEncoderSettings(checkpoint, { ...encoder, maxLength: training.maxLength });
  return { training, encoder };
}
