import * as vscode from 'vscode';
import { CancelledError, describeError } from '../errors.ts';

/** Notes in the log how work ended that did not end well. */
export function logFailure(error: unknown, log: vscode.LogOutputChannel): void {
  const { code, message } = describeError(error);
  if (error instanceof CancelledError) log.info(message);
  else log.error(`${message} (${code})`);
}

/** Shows a failure as a sentence with its code and the way to the log; what was cancelled is none. */
export async function showFailure(error: unknown, log: vscode.LogOutputChannel): Promise<void> {
  if (error instanceof CancelledError) return;
  const { code, message } = describeError(error);
  const openLog = 'Open Log';
  if ((await vscode.window.showErrorMessage(`${message} (${code})`, openLog)) === openLog) log.show();
}
