/** Colours and font of the plot, which is a canvas and so cannot use the theme's variables itself. */
export interface PlotTheme {
  readonly font: string;
  readonly text: string;
  readonly grid: string;
  readonly line: string;
  readonly band: string;
  readonly calibrated: string;
  /** What the plot stands on. */
  readonly background: string;
  readonly small: string;
  readonly large: string;
  /** By how much lines are wider than usual: for the high-contrast themes. */
  readonly emphasis: number;
}

/** Reads the theme that VS Code has put on the page. */
export function readTheme(): PlotTheme {
  const style = getComputedStyle(document.body);
  const variable = (name: string, otherwise: string): string => style.getPropertyValue(name).trim() || otherwise;
  const foreground = variable('--vscode-foreground', style.color);
  const highContrast = document.body.classList.contains('vscode-high-contrast');
  const line = variable('--vscode-charts-blue', foreground);
  return {
    font: `12px ${style.fontFamily}`,
    text: foreground,
    grid: `color-mix(in srgb, ${foreground} ${highContrast ? 45 : 15}%, transparent)`,
    line,
    band: line,
    calibrated: variable('--vscode-charts-purple', foreground),
    background: variable('--vscode-editor-background', style.backgroundColor),
    small: variable('--vscode-charts-green', foreground),
    large: variable('--vscode-charts-yellow', foreground),
    emphasis: highContrast ? 1.5 : 1,
  };
}

/** Calls back when the person changes the colour theme. */
export function onThemeChange(listener: () => void): void {
  new MutationObserver(listener).observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-id'] });
}
