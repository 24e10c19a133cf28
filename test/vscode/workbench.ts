import { chromium, type Browser, type FrameLocator, type Locator, type Page } from 'playwright-core';

/** What every start of code-server says and nobody can do anything about. */
const knownNoise = [
  /vsda(_bg)?\.(js|wasm)/,
  /socket was left hanging/,
  /fake\.html/,
  /ERR_ABORTED/,
  /authentication provider 'github'/,
  // Its own Output view, opened while its channels are still being made.
  /Unable to resolve resource output:/,
];

/** A VS Code window in a browser, driven as a person would. */
export class Workbench implements AsyncDisposable {
  readonly page: Page;
  private readonly browser: Browser;
  private readonly complaints: string[] = [];

  private constructor(browser: Browser, page: Page) {
    this.browser = browser;
    this.page = page;
    page.on('console', (message) => {
      if (message.type() === 'error') this.complain(`${message.text()} (${message.location().url})`);
    });
    page.on('pageerror', (error) => this.complain(error.message));
  }

  static async open(executablePath: string, url: string): Promise<Workbench> {
    const browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    const workbench = new Workbench(browser, page);
    await page.goto(url);
    await page.locator('.monaco-workbench').waitFor();
    await page.locator('.part.activitybar .action-label[aria-label="L³Prune"]').waitFor();
    return workbench;
  }

  /** Errors in the console, but for the known noise. */
  get errors(): readonly string[] {
    return this.complaints;
  }

  /** Opens our view container. */
  async openView(): Promise<void> {
    await this.page.locator('.part.activitybar .action-label[aria-label="L³Prune"]').click();
    await this.page.locator('.pane-header[aria-label^="Checkpoints"]').waitFor({ state: 'attached' });
  }

  /** Runs a command from the palette. */
  async command(title: string): Promise<void> {
    await this.openPalette();
    await this.quickInput().fill(`>${title}`);
    await this.choice(title).click();
  }

  /** A window that is still loading does not hear the key: it is pressed until it does. */
  private async openPalette(): Promise<void> {
    for (let attempt = 0; attempt < 15; attempt++) {
      await this.page.keyboard.press('F1');
      const isOpen = await this.quickInput()
        .waitFor({ timeout: 2_000 })
        .then(() => true)
        .catch(() => false);
      if (isOpen) return;
    }
    throw new Error('The command palette did not open.');
  }

  /** Takes a choice of a quick pick, with Enter where it is the default. */
  async choose(text: string): Promise<void> {
    await this.choice(text).click();
  }

  /** Answers a file dialog, which in a browser is a quick input, with a file of the workspace. */
  async openFile(name: string): Promise<void> {
    await this.dialog().locator('.monaco-list-row', { hasText: name }).click();
  }

  /** Answers a folder dialog with the workspace, or with a folder in it. */
  async openFolder(name?: string): Promise<void> {
    await this.dialog().locator('.monaco-list-row').first().waitFor();
    if (name !== undefined) {
      const row = this.dialog().locator('.monaco-list-row', { hasText: name });
      await row.click();
      // It lists what is in the folder when it has gone there.
      await row.waitFor({ state: 'detached' });
    }
    await this.dialog().locator('.monaco-button', { hasText: 'Use Th' }).click();
  }

  private dialog(): Locator {
    return this.page.locator('.quick-input-widget:visible', { has: this.page.locator('.monaco-button', { hasText: 'Use Th' }) });
  }

  quickInput(): Locator {
    return this.page.locator('.quick-input-widget:visible .quick-input-box input');
  }

  /** The title of the question that is being asked. */
  question(): Locator {
    return this.page.locator('.quick-input-widget:visible .quick-input-title');
  }

  choice(text: string): Locator {
    return this.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first();
  }

  notification(text: string | RegExp): Locator {
    return this.page.locator('.notification-toast', { hasText: text });
  }

  /** The panel's own document. */
  panel(): FrameLocator {
    return this.page.frameLocator('iframe.webview.ready').first().frameLocator('#active-frame');
  }

  treeRows(): Locator {
    return this.page.locator('.pane:has(.pane-header[aria-label^="Checkpoints"]) .monaco-list-row');
  }

  /** Takes a colour theme by its name in the list of themes. */
  async theme(name: string, bodyClass: string): Promise<void> {
    await this.command('Preferences: Color Theme');
    await this.page.getByPlaceholder('Select Color Theme').fill(name);
    await this.choice(name).click();
    await this.panel().locator(`body.${bodyClass}`).waitFor();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
  }

  private complain(text: string): void {
    if (!knownNoise.some((noise) => noise.test(text))) this.complaints.push(text);
  }
}
