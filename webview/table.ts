import { formatStderr, type ShownCurve } from './curve.ts';
import { element } from './dom.ts';

/** The curve's numbers, a row a layer: what the plot shows, for those who do not see it or want the digits. */
export class CurveTable {
  private readonly body = element('tbody');
  private readonly caption = element('caption');
  /** The table scrolls in itself, and so can be focused and scrolled with the keys. */
  readonly root = element(
    'div',
    { class: 'table', tabindex: '0', role: 'region', 'aria-label': 'Loss by layer, as a table' },
    element(
      'table',
      {},
      this.caption,
      element(
        'thead',
        {},
        element(
          'tr',
          {},
          ...['Layers kept', 'Loss', 'Standard error', 'Cut'].map((heading) => element('th', { scope: 'col' }, heading)),
        ),
      ),
      this.body,
    ),
  );

  show({ scale, layers, cuts }: ShownCurve): void {
    this.caption.textContent = scale === undefined ? 'Loss by layer so far' : `Loss by layer at scale ${scale}`;
    const rows = layers.map(({ layer, loss, stderr }) => {
      const here = cuts.filter((cut) => cut.layer === layer);
      return element(
        'tr',
        here.length > 0 ? { class: 'cut' } : {},
        element('th', { scope: 'row' }, String(layer)),
        element('td', {}, loss.toFixed(4)),
        element('td', {}, formatStderr(stderr)),
        element('td', {}, ...here.map(({ name }) => element('span', { class: `tag ${name}` }, name))),
      );
    });
    this.body.replaceChildren(...rows);
  }
}
