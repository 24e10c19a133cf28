import * as vscode from 'vscode';

/** What a person said to one question of several. */
export type Answer<T> = { readonly kind: 'answer'; readonly value: T } | { readonly kind: 'back' } | { readonly kind: 'dismissed' };

/** Where a question stands among the others. */
export interface Place {
  readonly title: string;
  readonly step: number;
  readonly totalSteps: number;
}

export interface Choice<T> {
  readonly label: string;
  readonly description?: string;
  /** The choice explained in one line. */
  readonly detail: string;
  readonly value: T;
}

/** Asks for one of the choices; the first is the default, which Enter takes. */
export function choose<T>(place: Place, placeholder: string, choices: ReadonlyArray<Choice<T>>): Promise<Answer<T>> {
  const input = vscode.window.createQuickPick<Choice<T> & vscode.QuickPickItem>();
  input.placeholder = placeholder;
  input.matchOnDescription = true;
  input.items = choices;
  return ask(input, place, () => {
    const [chosen] = input.selectedItems;
    return chosen && { kind: 'answer', value: chosen.value };
  });
}

/** Asks for a text; `validate` returns the sentence that says what is wrong with it. */
export function enter(place: Place, prompt: string, example: string, validate: (text: string) => string | undefined): Promise<Answer<string>> {
  const input = vscode.window.createInputBox();
  input.prompt = prompt;
  input.placeholder = example;
  const check = (): void => {
    input.validationMessage = input.value.trim() === '' ? undefined : validate(input.value.trim());
  };
  const listener = input.onDidChangeValue(check);
  return ask(input, place, () => {
    const text = input.value.trim();
    input.validationMessage = validate(text);
    return input.validationMessage === undefined ? { kind: 'answer', value: text } : undefined;
  }).finally(() => listener.dispose());
}

/** Runs steps in order; Back returns to the one before. Undefined when the person gave up. */
export async function askInTurn<T>(steps: ReadonlyArray<(place: Omit<Place, 'title'>) => Promise<Answer<Partial<T>>>>): Promise<Partial<T> | undefined> {
  const answers: Array<Partial<T>> = [];
  while (answers.length < steps.length) {
    const answer = await steps[answers.length]?.({ step: answers.length + 1, totalSteps: steps.length });
    if (answer?.kind === 'answer') answers.push(answer.value);
    else if (answer?.kind === 'back') answers.pop();
    else return undefined;
  }
  return Object.assign({}, ...answers) as Partial<T>;
}

/** Shows an input until it is accepted with a valid answer, left by Back, or dismissed. */
function ask<T>(
  input: vscode.QuickPick<Choice<T> & vscode.QuickPickItem> | vscode.InputBox,
  { title, step, totalSteps }: Place,
  accepted: () => Answer<T> | undefined,
): Promise<Answer<T>> {
  Object.assign(input, { title, step, totalSteps, ignoreFocusOut: true });
  if (step > 1) input.buttons = [vscode.QuickInputButtons.Back];
  return new Promise<Answer<T>>((resolve) => {
    input.onDidTriggerButton(() => resolve({ kind: 'back' }));
    input.onDidHide(() => resolve({ kind: 'dismissed' }));
    input.onDidAccept(() => {
      const answer = accepted();
      if (answer) resolve(answer);
    });
    input.show();
  }).finally(() => input.dispose());
}
