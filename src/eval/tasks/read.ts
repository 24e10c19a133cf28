import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { dataFiles, dataName } from '../../data/lines.ts';
import { errors } from '../../errors.ts';
import { reason } from '../../files.ts';
import { readJson } from '../../models/json.ts';
import { firstFields } from '../corpus.ts';
import type { EvaluateProgress } from '../system.ts';
import { taskKinds, vectorKinds } from './kinds.ts';
import { openRetrieval, openVectorTask, type ReadOptions } from './open.ts';
import { paperTasks } from './paper.ts';
import type { Task, TaskKind } from './task.ts';

/** What a person asks for, over what the tasks' own files say. */
export interface TaskOptions extends ReadOptions {
  /** Of every task; recognised by their files where it is undefined. */
  readonly kind: TaskKind | undefined;
  /** Of every task. */
  readonly instruction: string | undefined;
}

/** The file beside a task's data that says what the data does not. */
const settingsFile = 'task.json';

const settingsSchema = z.strictObject({
  name: z.string().min(1).optional(),
  task: z.enum(taskKinds as [TaskKind, ...TaskKind[]]).optional(),
  instruction: z.string().optional(),
  samplesPerLabel: z.int().positive().optional(),
});
type TaskSettings = z.infer<typeof settingsSchema>;

/**
 * Reads what `--data` names, and ranks by BM25 where there is something to find: a file or a folder that is one task, or a folder of such folders, a task each, by name.
 *
 * - retrieval: `corpus.jsonl` and `queries.jsonl`, or BEIR's layout
 * - the others: `test.jsonl`, or the only data file there is; classification has `train.jsonl` beside it
 *
 * All files may be `.gz`. The kind is recognised by the first row's fields. `task.json` may give `name`, `task` (the
 * kind), `instruction` and `samplesPerLabel`; a task of the paper that goes by its name in mteb has its instruction.
 *
 * @throws NOT_FOUND, BAD_DATA (no task, no kind, or one that has nothing to measure), CANCELLED
 */
export async function* readTasks(location: string, options: TaskOptions): AsyncGenerator<EvaluateProgress, Task[]> {
  const tasks: Task[] = [];
  for (const folder of await taskFolders(location)) tasks.push(yield* readTask(folder, options));
  return tasks;
}

/** The place itself where it is a file or holds data files, else the folders in it. */
async function taskFolders(location: string): Promise<string[]> {
  const found = await stat(location).catch((cause: unknown) => {
    throw errors.notFound(`${location} cannot be read: ${reason(cause)}.`, cause);
  });
  if (!found.isDirectory()) return [location];
  const entries = await readdir(location, { withFileTypes: true });
  if (entries.some((entry) => !entry.isDirectory() && isDataFile(entry.name))) return [location];
  const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => path.join(location, name));
  if (folders.length > 0) return folders.sort();
  throw errors.badData(`${location} holds neither a .jsonl file nor a folder with one: name a task, or a folder of tasks.`);
}

const isDataFile = (name: string): boolean => dataName(name) !== name;

async function* readTask(location: string, options: TaskOptions): AsyncGenerator<EvaluateProgress, Task> {
  const settings = await readSettings(location);
  const name = settings.name ?? dataName(path.basename(path.resolve(location)));
  const known = paperTasks.get(name);
  const identity = { name, instruction: options.instruction ?? settings.instruction ?? known?.instruction };
  const kind = options.kind ?? settings.task;
  const files = await dataFiles(location);
  if (kind === 'retrieval' || (kind === undefined && ['corpus', 'queries'].some((part) => fileNamed(files, part)))) return yield* openRetrieval(location, identity, options);

  const test = testFile(location, files);
  const taskFiles = { test, train: fileNamed(files, 'train'), samplesPerLabel: settings.samplesPerLabel ?? known?.samplesPerLabel };
  const found = kind ?? (await recognise(test, options.signal));
  return vectorKinds[found]((vectorKind) => openVectorTask(found, vectorKind, taskFiles, identity, options));
}

async function readSettings(location: string): Promise<TaskSettings> {
  const file = path.join(location, settingsFile);
  if (!(await stat(file).catch(() => undefined))) return {};
  const result = settingsSchema.safeParse(await readJson(file, errors.badData));
  if (result.success) return result.data;
  const { path: place = [], message = '' } = result.error.issues[0] ?? {};
  throw errors.badData(`${file} is not what a task can say of itself: ${place.length === 0 ? '' : `${place.join('.')}: `}${message}.`);
}

function fileNamed(files: readonly string[], name: string): string | undefined {
  return files.find((file) => dataName(file) === name);
}

function testFile(location: string, files: readonly string[]): string {
  const test = fileNamed(files, 'test') ?? (files.length === 1 ? files[0] : undefined);
  if (test !== undefined) return test;
  const names = files.map((file) => path.basename(file)).join(', ');
  throw errors.badData(`${location} holds ${names}, of which none is test.jsonl or test.jsonl.gz: call the file that is asked so, or name it.`);
}

/** The kind whose fields the file's first row has. */
async function recognise(file: string, signal: AbortSignal | undefined): Promise<Exclude<TaskKind, 'retrieval'>> {
  const names = await firstFields(file, signal);
  if (names.length === 0) throw errors.badData(`${file} holds no JSON object with fields, a line each.`);
  const has = (spellings: readonly string[]): boolean => spellings.some((name) => names.includes(name));
  const kinds = Object.entries(vectorKinds) as Array<[Exclude<TaskKind, 'retrieval'>, (typeof vectorKinds)['sts']]>;
  const fitting = kinds.filter(([, any]) => any(({ fields }) => fields.every(has))).map(([kind]) => kind);
  if (fitting.length === 1) return fitting[0]!;
  const fields = `the fields ${names.slice(0, 12).join(', ').slice(0, 200)}`;
  throw errors.badData(
    fitting.length === 0
      ? `${file} begins with a row of ${fields}, by which no kind of task is recognised: say which it is by --task.`
      : `${file} begins with a row of ${fields}, which could be ${fitting.join(' or ')}: say which it is by --task.`,
  );
}
