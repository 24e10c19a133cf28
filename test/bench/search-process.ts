import { bundled } from './bundle.ts';
import { runScript, type ChildRun } from './child.ts';
import type { Answers, TaskName, Tasks } from './search-child.ts';

/** Does a task of `search-child.ts` in a fresh process. */
export async function inSearchProcess<K extends TaskName>(name: K, task: Tasks[K]): Promise<ChildRun & { readonly answer: Answers[K] }> {
  const run = await runScript(await bundled('test/bench/search-child.ts'), [JSON.stringify({ name, with: task })]);
  return { ...run, answer: JSON.parse(run.stdout) as Answers[K] };
}
