import type { RunDescription } from '../../train/run-folder.ts';
import { SCRIPT_NAME } from './train-script.ts';
import type { WrittenData } from './write-data.ts';

/** What of a run the README of its job tells. */
export type DescribedRun = Pick<RunDescription, 'model' | 'settings' | 'data'>;

/** README.md of a training job's folder: what it is, how it is run on one machine and on many, how the result comes back. */
export function jobReadme({ model, settings, data }: DescribedRun, written: WrittenData): string {
  const { steps, batchSize, layers, loraRank, dropout } = settings;
  const left = written.skipped === 0 ? '' : ` ${written.skipped} rows of them have nothing to encode within ${settings.maxLength} tokens and are left out.`;
  return `# A training job of L³Prune

The run that \`l3prune train\` would do, for machines with more to compute with: a LoRA of rank ${loraRank} on the first
${layers} of ${model.layers} layers of ${model.name.replace(/\s+/g, ' ')}, ${steps} steps of ${batchSize} rows.

| | |
|---|---|
| \`training-job.json\` | the settings; whoever changes \`steps\` or \`batchSize\` needs other batches and exports again |
| \`data/rows.jsonl\` | ${written.rows} rows, as the run reads them (fingerprint of all that were given \`${data.fingerprint}\`) |
| \`data/batches.jsonl\` | a line a step: at which bytes of it the step's rows begin.${left} |
| \`base/\` | the frozen model |
| \`adapter/\` | what the LoRA begins with, in PEFT's format |
| \`checkpoint/\` | what goes beside the trained weights |
| \`${SCRIPT_NAME}\` | the training; \`l3prune_pooling.py\` is the encoder that it trains |

## Run it

\`\`\`sh
pip install torch "transformers>=5.2" "sentence-transformers>=5.4" peft accelerate
accelerate launch ${SCRIPT_NAME}                                             # what \`accelerate config\` has found
accelerate launch --multi_gpu --num_processes 4 --mixed_precision bf16 ${SCRIPT_NAME} --micro-batch 32
\`\`\`

On several nodes, with this folder and \`--out\` where all of them see it, on each:

\`\`\`sh
accelerate launch --multi_gpu --num_machines 2 --num_processes 16 --machine_rank 0 \\
  --main_process_ip 10.0.0.1 --main_process_port 29500 --mixed_precision bf16 ${SCRIPT_NAME} --micro-batch 32
\`\`\`

- A batch is shared out among the processes and compared as a whole: every query with the documents of all processes. The
  loss is the same on one process and on many, up to rounding.
- \`--micro-batch\` bounds the memory of a process: so many texts go through the model at a time, by gradient caching, and
  the gradients are those of the whole batch. Every process holds the whole frozen model.
- A state is saved every few steps and every two minutes; \`--resume\` goes on from it.
- \`--mixed_precision bf16\` computes the model in bfloat16, the LoRA and the loss in float32.
${dropout === 0 ? '' : `- Dropout (${dropout}) is drawn by torch here and by L³Prune's own generator there: from the first step on, losses differ by it.\n`}
## Bring it back

\`output/\` (or the folder of \`--out\`) is a checkpoint when the run is done: \`l3prune eval --model output --data …\`
measures it, \`l3prune embed --model output\` encodes with it, and sentence-transformers opens it as its README says.
Nothing is calibrated in it: \`l3prune prune --model output --layers ${layers} --data … --out …\` measures a calibration.
`;
}
