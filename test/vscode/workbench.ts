import { chromium, type Browser, type FrameLocator, type Locator, type Page } from 'playwright-core';

/** What every start of code-server says and nobody can do anything about. */
const knownNoise = [/vsda(_bg)?\.(js|wasm)/, /socket was left hanging/, /fake\.html/, /ERR_ABORTED/, /authentication provider 'github'/];

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

  /** Runs a command from the palette. */
  async command(title: string): Promise<void> {
    await this.page.keyboard.press('F1');
    const input = this.quickInput();
    await input.fill(`>${title}`);
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first().click();
  }

  quickInput(): Locator {
    return this.page.locator('.quick-input-widget:visible .quick-input-box input');
  }

  quickTitle(): Locator {
    return this.page.locator('.quick-input-widget:visible .quick-input-title');
  }

  quickRow(text: string): Locator {
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
  }

  private complain(text: string): void {
    if (!knownNoise.some((noise) => noise.test(text))) this.complaints.push(text);
  }
}
