import { formatStderr, type ShownCurve } from './curve.ts';
import { element } from './dom.ts';

/** The curve's numbers, a row a layer: what the plot shows, for those who do not see it or want the digits. */
export class CurveTable {
  private readonly head = element('tr');
  private readonly body = element('tbody');
  private readonly caption = element('caption');
  /** The table scrolls in itself, and so can be focused and scrolled with the keys. */
  readonly root = element(
    'div',
    { class: 'table', tabindex: '0', role: 'region', 'aria-label': 'Loss by layer, as a table' },
    element('table', {}, this.caption, element('thead', {}, this.head), this.body),
  );

  show({ scale, layers, cuts, calibrated }: ShownCurve): void {
    this.caption.textContent = scale === undefined ? 'Loss by layer so far' : `Loss by layer at scale ${scale}`;
    const headings = ['Layers kept', 'Loss', 'Standard error', ...(calibrated ? ['Calibrated loss', 'Standard error'] : []), 'Cut'];
    this.head.replaceChildren(...headings.map((heading) => element('th', { scope: 'col' }, heading)));
    const tags = [
      ...cuts.map(({ name, layer }) => ({ layer, class: `tag ${name}`, text: name as string })),
      ...(calibrated?.cuts ?? []).map(({ name, layer }) => ({ layer, class: 'tag calibrated', text: `${name}, calibrated` })),
    ];
    const rows = layers.map((own, i) => {
      const here = tags.filter(({ layer }) => layer === own.layer);
      const measured = [own, ...(calibrated?.layers.slice(i, i + 1) ?? [])];
      return element(
        'tr',
        here.length > 0 ? { class: 'cut' } : {},
        element('th', { scope: 'row' }, String(own.layer)),
        ...measured.flatMap(({ loss, stderr }) => [element('td', {}, loss.toFixed(4)), element('td', {}, formatStderr(stderr))]),
        element('td', {}, ...here.map((tag) => element('span', { class: tag.class }, tag.text))),
      );
    });
    this.body.replaceChildren(...rows);
  }
}
