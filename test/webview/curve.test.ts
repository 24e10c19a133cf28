import { describe, expect, it } from 'vitest';
import type { RunView } from '../../src/protocol/panel.ts';
import { curveAt, describeCurve, formatStderr, scalesOf } from '../../webview/curve.ts';

const soFar = [
  { layer: 1, loss: 3, stderr: 0.2 },
  { layer: 2, loss: 2, stderr: 0.2 },
];

const running = { layers: soFar, curve: undefined } as unknown as RunView;

const done = {
  layers: soFar,
  curve: {
    settings: { scale: 50 },
    confidence: { small: [[1, 0.9], [2, 0.1]], large: [[4, 0.6], [3, 0.4]] },
    scales: {
      20: { small: 2, large: 4, losses: [4, 3, 2, 1], stderr: [0.1, 0.1, 0.1, 0.1] },
      50: { small: 1, large: 4, losses: [2, 3, 4, 1.5], stderr: [0.2, 0.2, 0.2, 0.2] },
    },
    calibrated: {
      confidence: { small: [[2, 0.7], [1, 0.3]], large: [[3, 1]] },
      scales: { 50: { small: 2, large: 3, losses: [1, 0.5, 0.8, 0.9], stderr: [0.1, 0.1, 0.1, 0.1] } },
    },
  },
} as unknown as RunView;

const plain = (scale: string) => ({ scale, calibrated: false });

describe('the curve that is shown', () => {
  it('is what is known so far while the profile runs, without cuts', () => {
    expect(scalesOf(running)).toEqual([]);
    expect(curveAt(running, { scale: undefined, calibrated: true })).toEqual({ scale: undefined, layers: soFar, cuts: [], calibrated: undefined });
  });

  it('offers the scale of the run first', () => {
    expect(scalesOf(done)).toEqual(['50', '20']);
  });

  it('has the cuts of its scale, with the confidence that only the scale of the run has', () => {
    expect(curveAt(done, plain('50')).cuts).toEqual([
      { name: 'small', layer: 1, confidence: 0.9 },
      { name: 'large', layer: 4, confidence: 0.6 },
    ]);
    expect(curveAt(done, plain('20')).cuts).toEqual([
      { name: 'small', layer: 2, confidence: undefined },
      { name: 'large', layer: 4, confidence: undefined },
    ]);
    expect(curveAt(done, plain('20')).layers[2]).toEqual({ layer: 3, loss: 2, stderr: 0.1 });
  });

  it('is told in a sentence', () => {
    expect(describeCurve(curveAt(done, plain('50')))).toBe(
      'The loss after each of 4 layers, lowest at layer 4 with 1.500. The small cut keeps 1. The large cut keeps 4.',
    );
    expect(describeCurve({ scale: undefined, layers: [], cuts: [], calibrated: undefined })).toBe('The loss by layer, not measured yet.');
  });

  it('has that of calibrated vectors beside it where it is wanted, with its own cuts', () => {
    const { calibrated, ...own } = curveAt(done, { scale: '50', calibrated: true });
    expect(curveAt(done, plain('50'))).toEqual({ ...own, calibrated: undefined });
    expect(calibrated!.layers.map(({ loss }) => loss)).toEqual([1, 0.5, 0.8, 0.9]);
    expect(calibrated!.cuts).toEqual([
      { name: 'small', layer: 2, confidence: 0.7 },
      { name: 'large', layer: 3, confidence: 1 },
    ]);
    expect(describeCurve(curveAt(done, { scale: '50', calibrated: true }))).toContain(
      'Calibrated, it is lowest at layer 2 with 0.500. The small cut keeps 2. The large cut keeps 3.',
    );
  });

  it('claims no standard error of a single batch', () => {
    expect([formatStderr(0), formatStderr(0.12345)]).toEqual(['–', '0.1235']);
  });
});
