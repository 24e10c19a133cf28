/**
 * Whether what is trained on holds a function of what is measured with, however it is laid out, commented or named:
 *
 *   node test/bench/mining/overlap.ts --train FILE... --measured FILE_OR_FOLDER...
 *
 * Takes `.jsonl`(`.gz`) files of rows (`positive` or `code`) and folders of source files. Prints how many functions each
 * side has and how many are on both; exits with 1 where any is.
 */
import { parseArgs } from 'node:util';
import { functionHashes } from '../../../src/data/mine/exclude.ts';

const { values } = parseArgs({
  options: { train: { type: 'string', multiple: true, default: [] }, measured: { type: 'string', multiple: true, default: [] } },
});
if (values.train.length === 0 || values.measured.length === 0) {
  console.error('Usage: node test/bench/mining/overlap.ts --train FILE... --measured FILE_OR_FOLDER...');
  process.exit(2);
}
const measured = await functionHashes(values.measured);
for (const file of values.train) {
  const trained = await functionHashes([file]);
  const both = [...trained].filter((hash) => measured.has(hash)).length;
  console.log(`${file}: ${trained.size} functions, ${measured.size} that are measured with, ${both} on both sides`);
  if (both > 0) process.exitCode = 1;
}
