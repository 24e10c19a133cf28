import path from 'node:path';
import * as vscode from 'vscode';
import type { Depth, PruneJob } from '../protocol/prune.ts';
import { askInTurn, choose, enter, type Answer, type Choice, type Place } from './ask.ts';

/** The model that is taken where nobody names another. */
export const defaultModel = 'smollm2-135m-q4_1';

/** Where nobody says how deep to cut: at both points that the curve shows. */
export const defaultDepths: readonly Depth[] = [{ kind: 'small' }, { kind: 'large' }];

/**
 * How the curve is measured where nobody says: a minute or two on a laptop, with a first curve after seconds. The paper's
 * own settings, 100 batches of 64 at 512 tokens, take hours there.
 */
export const defaultSettings: PruneJob['settings'] = { batchSize: 32, batches: 8, maxLength: 128 };

/** The code of the workspace's first folder; undefined where none is open. */
export function defaultData(): PruneJob['data'] | undefined {
  return workspaceFolders().map((folder) => ({ kind: 'workspace' as const, path: folder.uri.fsPath }))[0];
}

const title = 'L3Prune: Prune Model';

/** A choice's value: the answer itself, or a further question that ends in one. */
type Ask<T> = (place: Place) => Promise<Answer<T>>;

/** Asks for model, data and depth, each with its default first, so that Enter three times does the right thing. */
export async function askPruneJob(): Promise<PruneJob | undefined> {
  const answers = await askInTurn<PruneJob>([
    (place) => askFor('Which model shall be cut?', modelChoices(), { title, ...place }, (model) => ({ model })),
    (place) => askFor('On which texts shall its layers be measured?', dataChoices(), { title, ...place }, (data) => ({ data })),
    (place) => askFor('Where shall it be cut?', depthChoices(), { title, ...place }, (depths) => ({ depths })),
  ]);
  if (answers?.model === undefined || answers.data === undefined || answers.depths === undefined) return undefined;
  return { model: answers.model, data: answers.data, depths: answers.depths, settings: defaultSettings };
}

/** Asks a question whose choices may ask on; leaving such a further question returns to the choices. */
async function askFor<T, P>(
  question: string,
  choices: ReadonlyArray<Choice<Ask<T>>>,
  place: Place,
  toPart: (value: T) => P,
): Promise<Answer<P>> {
  for (;;) {
    const chosen = await choose(place, question, choices);
    if (chosen.kind !== 'answer') return chosen;
    const answer = await chosen.value({ ...place, step: Math.max(place.step, 2) });
    if (answer.kind === 'answer') return { kind: 'answer', value: toPart(answer.value) };
    if (answer.kind === 'dismissed') return answer;
  }
}

function modelChoices(): ReadonlyArray<Choice<Ask<string>>> {
  return [
    {
      label: 'SmolLM2-135M-Instruct',
      description: defaultModel,
      detail: 'The default: 30 layers, 135 million parameters; fetched once and checked.',
      value: just(defaultModel),
    },
    {
      label: 'From the Hugging Face hub…',
      detail: 'By its id, owner/name; an existing Hugging Face cache is used first.',
      value: (place) =>
        enter(place, 'The id of a model on the hub', 'HuggingFaceTB/SmolLM2-135M-Instruct', (id) =>
          /^[\w-][\w.-]*\/[\w.-]+$/.test(id) ? undefined : 'A hub id is an owner, a slash and a name.',
        ),
    },
    {
      label: 'A folder…',
      detail: 'A Hugging Face checkpoint: config.json, safetensors and tokenizer.',
      value: () => open({ canSelectFolders: true, canSelectFiles: false, openLabel: 'Use This Model' }),
    },
    {
      label: 'A file…',
      detail: 'A .gguf file, or a .safetensors file with its config.json beside it.',
      value: () => open({ openLabel: 'Use This Model', filters: { Models: ['gguf', 'safetensors'] } }),
    },
  ];
}

function dataChoices(): ReadonlyArray<Choice<Ask<PruneJob['data']>>> {
  const workspaces = workspaceFolders().map((folder, _index, all) => ({
    label: all.length === 1 ? "This workspace's own code" : `The code of ${folder.name}`,
    description: path.basename(folder.uri.fsPath),
    detail: 'Doc comments and the code below them; read, never changed, never sent anywhere.',
    value: just({ kind: 'workspace' as const, path: folder.uri.fsPath }),
  }));
  const triplets = async (options: vscode.OpenDialogOptions): Promise<Answer<PruneJob['data']>> => {
    const answer = await open({ ...options, openLabel: 'Use These Triplets' });
    return answer.kind === 'answer' ? { kind: 'answer', value: { kind: 'triplets', path: answer.value } } : answer;
  };
  return [
    ...workspaces,
    {
      label: 'A file of triplets…',
      detail: 'JSON lines with the fields query, positive and negative; .jsonl or .jsonl.gz.',
      value: () => triplets({ filters: { Triplets: ['jsonl', 'gz'] } }),
    },
    {
      label: 'A folder of triplets…',
      detail: 'Every .jsonl and .jsonl.gz file in it.',
      value: () => triplets({ canSelectFolders: true, canSelectFiles: false }),
    },
  ];
}

function depthChoices(): ReadonlyArray<Choice<Ask<readonly Depth[]>>> {
  return [
    { label: 'Small and large', detail: 'Both points that the loss curve shows, a checkpoint each.', value: just(defaultDepths) },
    { label: 'Small', detail: 'The lowest loss in the first half of the layers: fastest.', value: just([{ kind: 'small' }]) },
    { label: 'Large', detail: 'The lowest loss in the second half of the layers: best quality.', value: just([{ kind: 'large' }]) },
    {
      label: 'A share of the layers…',
      detail: 'Takes a percentage of the layers off the end.',
      value: (place) => enterDepth(place, 'How many percent of the layers shall go?', '50', percentError, (percent) => ({ kind: 'percent', percent })),
    },
    {
      label: 'A number of layers…',
      detail: 'Keeps so many layers from the start.',
      value: (place) => enterDepth(place, 'How many layers shall stay?', '8', layersError, (layers) => ({ kind: 'layers', layers })),
    },
  ];
}

async function enterDepth(
  place: Place,
  prompt: string,
  example: string,
  errorIn: (value: number) => string | undefined,
  toDepth: (value: number) => Depth,
): Promise<Answer<readonly Depth[]>> {
  const answer = await enter(place, prompt, example, (text) => errorIn(text === '' ? Number.NaN : Number(text)));
  return answer.kind === 'answer' ? { kind: 'answer', value: [toDepth(Number(answer.value))] } : answer;
}

function percentError(percent: number): string | undefined {
  if (percent > 0 && percent < 1) return `Percent, not a share: did you mean ${percent * 100}?`;
  return percent >= 1 && percent < 100 ? undefined : 'A number of percent between 1 and 100.';
}

function layersError(layers: number): string | undefined {
  return Number.isInteger(layers) && layers >= 1 ? undefined : 'A whole number of layers, 1 or more.';
}

/** A file dialog; leaving it is a step back, for the question it came from is still of use. */
async function open(options: vscode.OpenDialogOptions): Promise<Answer<string>> {
  const [chosen] = (await vscode.window.showOpenDialog(options)) ?? [];
  return chosen ? { kind: 'answer', value: chosen.fsPath } : { kind: 'back' };
}

function just<T>(value: T): Ask<T> {
  return async () => ({ kind: 'answer', value });
}

function workspaceFolders(): readonly vscode.WorkspaceFolder[] {
  return (vscode.workspace.workspaceFolders ?? []).filter((folder) => folder.uri.scheme === 'file');
}
