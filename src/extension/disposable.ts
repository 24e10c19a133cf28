/** Whatever is created is registered with its owner, and goes when the owner does, the last first. */
export abstract class Disposable {
  private readonly _owned: Array<{ dispose(): unknown }> = [];

  protected _register<T extends { dispose(): unknown }>(owned: T): T {
    this._owned.push(owned);
    return owned;
  }

  dispose(): void {
    while (this._owned.length > 0) this._owned.pop()?.dispose();
  }
}
