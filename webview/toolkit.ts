/**
 * The one module that knows `@vscode/webview-ui-toolkit`: it is archived, and whatever follows it takes its
 * place here. Its tag and progress ring are not used: they write style attributes, which the page's policy forbids.
 */
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeRadio,
  vsCodeRadioGroup,
  type Checkbox,
  type RadioGroup,
} from '@vscode/webview-ui-toolkit';
import { element } from './dom.ts';

/** Defines the custom elements that the functions below make. */
export function installToolkit(): void {
  provideVSCodeDesignSystem().register(vsCodeButton(), vsCodeCheckbox(), vsCodeRadio(), vsCodeRadioGroup());
}

export function button(label: string, appearance: 'primary' | 'secondary', onClick: () => void): HTMLElement {
  const made = element('vscode-button', { appearance }, label);
  made.addEventListener('click', onClick);
  return made;
}

/** Something that is on or off, toggled with the space bar. */
export function checkbox(label: string, isOn: boolean, onToggle: (isOn: boolean) => void): HTMLElement {
  const made = element('vscode-checkbox', isOn ? { checked: '' } : {}, label);
  made.addEventListener('change', () => onToggle((made as unknown as Checkbox).checked));
  return made;
}

/** One of a few, chosen with the arrow keys. */
export function radioGroup(label: string, options: readonly string[], chosen: string, onChoose: (option: string) => void): HTMLElement {
  const radios = options.map((option) => element('vscode-radio', { value: option }, option));
  const group = element('vscode-radio-group', { value: chosen, 'aria-label': label }, element('label', { slot: 'label' }, label), ...radios);
  group.addEventListener('change', () => onChoose((group as unknown as RadioGroup).value));
  return group;
}
