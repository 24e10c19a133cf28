import { errors } from '../errors.ts';
import type { Manifest } from '../prune/manifest.ts';
import type { TrainJob } from './job.ts';
import type { RunDescription } from './run-folder.ts';
import { optionOf, type TrainingSettings } from './settings.ts';

/** What a run that is to go on is asked to be; what is left out is as it was. */
export interface AskedRun extends Pick<RunDescription, 'model' | 'data'> {
  readonly adapter: string | undefined;
  readonly settings: Partial<TrainingSettings>;
  readonly instruction: string | undefined;
  readonly evaluation: { readonly fingerprint: string; readonly every: number | undefined; readonly earlyStop: number | undefined } | null;
  readonly runTokens: number | undefined;
  readonly engine: { readonly name: string | undefined; readonly threads: number | undefined; readonly device: string | undefined };
}

/** What is known of the run that is there: of a finished one, what its manifest keeps. */
export type KnownRun = Pick<RunDescription, 'model' | 'adapter' | 'data' | 'settings'> & {
  readonly instruction?: RunDescription['instruction'];
  readonly runTokens?: RunDescription['runTokens'];
  readonly engine?: RunDescription['engine'];
  readonly evaluation: { readonly fingerprint: string; readonly every?: number; readonly earlyStop?: number | null } | null;
};

/**
 * Sees that the run in a folder is the one that is asked for: with anything else its numbers would be neither the ones
 * nor the others. Errors: OTHER_RUN with all that differs.
 */
export function checkSameRun(out: string, was: KnownRun, asked: AskedRun): void {
  const differs = differencesOf(was, asked);
  if (differs.length === 0) return;
  throw errors.otherRun(`The training in ${out} is another one: ${differs.join('; ')}. Ask for it as it was begun, name another folder, or begin again by --force.`);
}

/** Sees that a finished run was made into the checkpoint that is asked for. Errors: OTHER_RUN. */
export function checkSameCheckpoint(out: string, { calibration, adapter }: Pick<Manifest, 'calibration' | 'adapter'>, { merge = true, calibrate, components }: Pick<TrainJob, 'merge' | 'calibrate' | 'components'>): void {
  const differs: string[] = [];
  if (adapter !== null && adapter.merged !== merge) differs.push(`its adapter is ${merge ? 'kept apart' : 'part of the weights'}`);
  if (calibrate !== undefined && calibrate !== (calibration?.kind ?? 'none')) differs.push(difference('--calibrate', calibration?.kind ?? null, calibrate));
  if (components !== undefined && components !== (calibration?.components ?? 0)) differs.push(difference('--components', calibration?.components ?? 0, components));
  if (differs.length === 0) return;
  throw errors.otherRun(`The training in ${out} is finished already, as another checkpoint: ${differs.join('; ')}. Name another folder, or begin again by --force.`);
}

function differencesOf(was: KnownRun, asked: AskedRun): string[] {
  const differs: string[] = [];
  const compare = (what: string, before: unknown, now: unknown): void => {
    if (before !== undefined && now !== undefined && JSON.stringify(before) !== JSON.stringify(now)) differs.push(difference(what, before, now));
  };
  compare('the model', was.model.fingerprint, asked.model.fingerprint);
  compare('--adapter', was.adapter, asked.adapter);
  for (const [name, now] of Object.entries(asked.settings)) {
    const setting = name as keyof TrainingSettings;
    compare(optionOf(setting), was.settings[setting], now);
  }
  compare('--instruction', was.instruction, asked.instruction);
  if (was.data.fingerprint !== asked.data.fingerprint)
    differs.push(`the data had ${was.data.rows} rows (${was.data.fingerprint.slice(0, 12)}) and has ${asked.data.rows} (${asked.data.fingerprint.slice(0, 12)})`);
  if ((was.evaluation === null) !== (asked.evaluation === null)) differs.push(was.evaluation === null ? '--eval was left out' : '--eval was given');
  else if (was.evaluation !== null && asked.evaluation !== null) {
    compare('--eval', was.evaluation.fingerprint, asked.evaluation.fingerprint);
    compare('--eval-every', was.evaluation.every, asked.evaluation.every);
    compare('--early-stop', was.evaluation.earlyStop, asked.evaluation.earlyStop);
  }
  compare('--micro-batch in tokens', was.runTokens, asked.runTokens);
  compare('--engine', was.engine?.name, asked.engine.name);
  compare('--threads', was.engine?.threads, asked.engine.threads);
  compare('--device', was.engine?.device, asked.engine.device);
  return differs;
}

/** What a setting means that is not set. */
const unset: Readonly<Record<string, string>> = { [optionOf('hardNegatives')]: 'all', [optionOf('modelNegativesAfter')]: 'never' };

/** What differs, as a sentence goes on. */
export function difference(what: string, before: unknown, now: unknown): string {
  return `${what} was ${shown(before, what)} and is ${shown(now, what)}`;
}

/** Fingerprints are shown by their first digits. */
function shown(value: unknown, what: string): string {
  if (typeof value === 'string') return /^[0-9a-f]{64}$/.test(value) ? value.slice(0, 12) : JSON.stringify(value);
  if (value === null) return unset[what] ?? 'none';
  return Array.isArray(value) ? value.join(',') : String(value);
}
