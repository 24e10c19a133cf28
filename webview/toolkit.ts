/** The one module that knows `@vscode/webview-ui-toolkit`: it is archived, and whatever follows it takes its place here. */
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeProgressRing,
  vsCodeRadio,
  vsCodeRadioGroup,
  vsCodeTag,
  type RadioGroup,
} from '@vscode/webview-ui-toolkit';
import { element } from './dom.ts';

/** Defines the custom elements that the functions below make. */
export function installToolkit(): void {
  provideVSCodeDesignSystem().register(vsCodeButton(), vsCodeProgressRing(), vsCodeRadio(), vsCodeRadioGroup(), vsCodeTag());
}

export function button(label: string, appearance: 'primary' | 'secondary', onClick: () => void): HTMLElement {
  const made = element('vscode-button', { appearance }, label);
  made.addEventListener('click', onClick);
  return made;
}

/** Turns while work of unknown length goes on; what goes on is said beside it. */
export function progressRing(): HTMLElement {
  return element('vscode-progress-ring', { 'aria-hidden': 'true' });
}

export function tag(text: string): HTMLElement {
  return element('vscode-tag', {}, text);
}

/** One of a few, chosen with the arrow keys. */
export function radioGroup(label: string, options: readonly string[], chosen: string, onChoose: (option: string) => void): HTMLElement {
  const radios = options.map((option) => element('vscode-radio', { value: option }, option));
  const group = element('vscode-radio-group', { value: chosen, 'aria-label': label }, element('label', { slot: 'label' }, label), ...radios);
  group.addEventListener('change', () => onChoose((group as unknown as RadioGroup).value));
  return group;
}
