import type { Pooling } from '../encoder/settings.ts';
import { calibrationFolders } from './calibration-modules.ts';
import { adapterFolder, type Manifest } from './manifest.ts';
import { PYTHON_MODULE_NAME } from './python-module.ts';
import { reasonsAgainstStock, type SentenceTransformersSettings } from './sentence-transformers.ts';

const poolingSentence: Readonly<Record<Pooling, string>> = {
  weighted_mean: 'the weighted mean of the last layer over the tokens of the text, the i-th of n with weight i / (1 + 2 + … + n)',
  mean: 'the mean of the last layer over the tokens of the text',
  last_token: 'the last layer at the last token of the text',
  first_token: 'the last layer at the first token of the sequence',
};

/** README.md of a checkpoint folder: what it was made from, how its vectors are made, and how Python opens it. */
export function modelCard(manifest: Manifest, settings: SentenceTransformersSettings): string {
  const { base, layers, calibration } = manifest;
  const name = base.name.replace(/\s+/g, ' ');
  const { attention, pooling, maxLength, hiddenSize, instruction, separator } = settings;
  return `# Text encoder: the first ${layers} of ${base.layers} layers of ${name}

Made by L³Prune from the base model **${name}** (fingerprint \`${base.fingerprint}\`). The first ${layers} of its
${base.layers} layers, its token embeddings and its final norm are kept${isTrained(manifest) ? '' : ' as they were stored'}; \`l3prune.json\` has the
whole history.

| setting | value |
|---|---|
| vector | ${hiddenSize} numbers, not normalized; compare by cosine |
| pooling | \`${pooling}\`: ${poolingSentence[pooling]} |
| attention | ${attention} |
| longest text | ${maxLength} tokens, cut on the right |
| queries | ${instruction === undefined ? 'no instruction' : `${code(instruction + separator)} before the text, attended to and not pooled`} |
| documents | no instruction |

## sentence-transformers

${sentenceTransformersSection(settings)}

## transformers

\`\`\`python
import torch
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
model = AutoModel.from_pretrained("path/to/this/folder", dtype=torch.float32)
hidden = model(**tokenizer("some text", return_tensors="pt")).last_hidden_state  # [1, tokens, ${hiddenSize}]
\`\`\`

${
  attention === 'bidirectional'
    ? 'The vectors need every token to see every other: `config.json` says so by `is_causal: false`, which transformers honours from 5.2 on. '
    : ''
}Pooling is left to you; tokens that the tokenizer adds are not pooled.
${trainingSection(manifest)}${calibration === null ? '' : calibrationSection(calibration)}`;
}

function isTrained({ history }: Manifest): boolean {
  return history.some(({ step }) => step === 'train');
}

/** What the last training was, and where its adapter is. Of one that is still to be done, no step is known. */
function trainingSection({ adapter, history }: Manifest): string {
  const last = history.findLast((step) => step.step === 'train');
  if (last === undefined) return '';
  const { settings, data, step, steps, loss, evaluation, tokens } = last.training;
  const where =
    adapter === null
      ? 'It is part of the weights.'
      : adapter.merged
        ? `It is part of the weights, in float32, and kept beside them in \`${adapterFolder}/\` as \`peft\` reads it.`
        : `**It is not part of the weights**: \`${adapterFolder}/\` keeps it as \`peft\` reads it. L³Prune applies it; transformers and
sentence-transformers, opening this folder, do not.`;
  const shown = (value: number): string => String(Number(value.toPrecision(4)));
  const rows = [
    ['data', `${data.rows} rows (fingerprint \`${data.fingerprint}\`)${steps === 0 ? '' : `, ${Math.round(tokens)} tokens`}`],
    ['steps', `${step === steps ? step || settings.steps : `${step}, the best of ${steps}`} of batch ${settings.batchSize}, learning rate ${settings.lr}`],
    [`loss, scale ${settings.scale}`, steps === 0 ? 'of every step in `metrics.jsonl`' : `${shown(loss.first)} at the start, ${shown(loss.last)} at the end`],
  ];
  if (settings.precision === 'int8') rows.push(['products', 'of the frozen weights in whole numbers of 8 bits while it was trained, so that those losses are not quite those of float32']);
  if (settings.baseBits !== null)
    rows.push(['base', `in ${settings.baseBits} bits while it was trained beside, so that those losses are not quite of these weights, which are not rounded`]);
  if (evaluation !== null) {
    const what = evaluation.metric === 'loss' ? 'held-out loss' : 'nDCG@10 on the evaluation corpus';
    rows.push([what, `${shown(evaluation.before)} before, ${shown(evaluation.best.value)} after step ${evaluation.best.step}`]);
  }
  return `
## Training

A LoRA of rank ${settings.loraRank} (alpha ${settings.loraAlpha}) on ${settings.targets.map((target) => `\`${target}\``).join(', ')}, by the contrastive loss. ${where}

| | |
|---|---|
${rows.map(([name, value]) => `| ${name} | ${value} |\n`).join('')}`;
}

function calibrationSection({ kind, components, rows }: NonNullable<Manifest['calibration']>): string {
  const leading = components === 0 ? '' : `, and ${components === 1 ? 'the leading component' : `the ${components} leading components`} of what is left`;
  const what = {
    mean: `One mean vector is taken off every vector${leading}, by a Dense module without an
activation (\`${calibrationFolders.mean}/\`).`,
    router: `The mean of queries is taken off a query and that of documents off a document${leading}, by a Router
of two Dense modules without an activation (\`${calibrationFolders.router}/\`, sentence-transformers 5 or newer). What is encoded by neither
\`encode_query\` nor \`encode_document\` counts as a document.`,
  }[kind];
  return `
## Calibration

${what} It was measured on ${rows} queries and the texts that answer them. transformers
knows nothing of it: pooled by hand, a vector is the plain one, which \`l3prune embed --no-calibration\` gives.
`;
}

function sentenceTransformersSection(settings: SentenceTransformersSettings): string {
  const reasons = reasonsAgainstStock(settings);
  const trust = reasons.length === 0 ? '' : ', trust_remote_code=True';
  const example = `\`\`\`python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder"${trust})
queries = model.encode_query(["how is a file read line by line?"])
documents = model.encode_document(["def lines(path): ..."])
print(model.similarity(queries, documents))
\`\`\``;
  if (reasons.length === 0) {
    return `${example}

Its own pooling module gives the numbers of L³Prune here: the tokenizer adds no token and there is no instruction, so it
pools the same tokens with the same weights. No code from this folder runs. A prompt of your own would be pooled too;
for queries with an instruction, cut the model with \`--instruction\`.`;
  }
  return `${example}

This asks for sentence-transformers 5.4 or newer and for \`trust_remote_code=True\`, which lets it run
\`${PYTHON_MODULE_NAME}.py\` from this folder (about a hundred lines; read them first). Its own pooling would give other
numbers than L³Prune:

${reasons.map((reason) => `- ${reason}`).join('\n')}

Any prompt that you pass is left out of the pooling in the same way.`;
}

/** Inline code that may hold backticks and line breaks, and that cannot break out of a table's cell. */
function code(text: string): string {
  const shown = JSON.stringify(text).slice(1, -1).replaceAll('|', String.raw`\|`);
  const fence = '`'.repeat(Math.max(0, ...(shown.match(/`+/g) ?? []).map((run) => run.length)) + 1);
  return `${fence} ${shown} ${fence}`;
}
