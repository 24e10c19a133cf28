import { describe, expect, test } from 'vitest';
import { emptyWatch, hasCollapsed, hasDiverged, isHealthy, watchLoss, type LossWatch } from '../../src/train/divergence.ts';

const candidates = 64;
const chance = Math.log(candidates);

/** What is remembered after these losses, each with the norm of its gradient. */
function after(...steps: readonly (readonly [loss: number, gradNorm: number, times: number])[]): LossWatch {
  return steps.flatMap(([loss, gradNorm, times]) => Array.from({ length: times }, () => ({ loss, gradNorm }))).reduce(watchLoss, emptyWatch);
}

describe('a run that goes wrong', () => {
  test('has diverged where it does worse than chance and had done better', () => {
    const learned = after([chance, 1, 20], [0.5, 1, 20]);
    expect(hasDiverged(learned, candidates)).toBe(false);
    expect(hasDiverged([...Array(20)].reduce((watch: LossWatch) => watchLoss(watch, { loss: chance + 1, gradNorm: 5 }), learned), candidates)).toBe(true);
  });

  test('is no longer healthy half-way there', () => {
    expect(isHealthy(after([0.5, 1, 20]), candidates)).toBe(true);
    expect(isHealthy(after([0.5, 1, 20], [3, 1, 20]), candidates)).toBe(false);
  });

  test('has collapsed where the loss stays at chance and the gradients have vanished', () => {
    expect(hasCollapsed(after([chance, 2, 5], [chance, 0.004, 20]), candidates)).toBe(true);
    expect(isHealthy(after([chance, 2, 5], [chance, 0.004, 20]), candidates)).toBe(false);
  });

  test('has not where it has only not begun to learn, or learns', () => {
    expect(hasCollapsed(after([chance, 0.25, 40]), candidates)).toBe(false);
    expect(hasCollapsed(after([chance, 2, 5], [0.3, 0.004, 20]), candidates)).toBe(false);
    expect(hasDiverged(after([chance + 2, 1, 40]), candidates)).toBe(false);
  });
});
