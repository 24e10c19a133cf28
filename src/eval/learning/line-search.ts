/** A function along a line: its value at a step, and its derivative by the step. */
export interface Trial {
  readonly value: number;
  readonly slope: number;
}

/** A step with what the function is there. */
interface Point extends Trial {
  readonly step: number;
}

/** The interval that holds a minimizer once it is bracketed; before that, two points to extrapolate from. */
interface Interval {
  /** The best step so far, with the least value. */
  best: Point;
  other: Point;
  bracketed: boolean;
}

/** Sufficient decrease, curvature, relative width of the interval, longest step: those of L-BFGS-B 3.0. */
const decrease = 1e-3;
const curvature = 0.9;
const narrowest = 0.1;
const longestStep = 1e10;

/**
 * The line search of Moré and Thuente (1994, "Line search algorithms with guaranteed sufficient decrease"), as MINPACK-2
 * has it (`dcsrch`, `dcstep`) and L-BFGS-B uses it. Yields the steps to try, and takes what the function is there; it is
 * done at the step that was tried last.
 *
 * @param start the function at step 0, with a negative slope
 * @param firstStep positive
 */
export function* lineSearch(start: Trial, firstStep: number): Generator<number, void, Trial> {
  const origin: Point = { ...start, step: 0 };
  const interval: Interval = { best: origin, other: origin, bracketed: false };
  const wanted = decrease * start.slope;
  let descended = false; // The second stage begins at a step of sufficient decrease behind a minimizer.
  let [least, most] = [0, 5 * firstStep];
  let [width, widthBefore] = [longestStep, 2 * longestStep];
  let step = firstStep;
  for (;;) {
    const { value, slope }: Trial = yield step;
    const limit = start.value + step * wanted;
    if (!descended && value <= limit && slope >= 0) descended = true;
    if (value <= limit && Math.abs(slope) <= curvature * -start.slope) return;
    if (interval.bracketed && (step <= least || step >= most || most - least <= narrowest * most)) return;
    if (step === longestStep && value <= limit && slope <= wanted) return;

    const at: Point = { step, value, slope };
    // The first stage follows the function less the decrease that is wanted, where that has not been reached.
    const tilt = !descended && value <= interval.best.value && value > limit ? wanted : 0;
    step = nextStep(interval, at, tilt, least, most);

    if (interval.bracketed) {
      const span = interval.other.step - interval.best.step;
      if (Math.abs(span) >= 0.66 * widthBefore) step = interval.best.step + span / 2;
      widthBefore = width;
      width = Math.abs(span);
      least = Math.min(interval.best.step, interval.other.step);
      most = Math.max(interval.best.step, interval.other.step);
    } else {
      least = step + 1.1 * (step - interval.best.step);
      most = step + 4 * (step - interval.best.step);
    }
    step = Math.min(Math.max(step, 0), longestStep);
    if (interval.bracketed && (step <= least || step >= most || most - least <= narrowest * most)) step = interval.best.step;
  }
}

/** Narrows the interval by a point, seen less `tilt` a step, and gives the next step to try. */
function nextStep(interval: Interval, at: Point, tilt: number, least: number, most: number): number {
  const tilted = ({ step, value, slope }: Point): Point => ({ step, value: value - step * tilt, slope: slope - tilt });
  const [p, x, y] = [tilted(at), tilted(interval.best), tilted(interval.other)];
  const { bracketed } = interval;
  if (p.value > x.value) {
    interval.other = at;
    interval.bracketed = true;
    return higher(p, x);
  }
  const turned = Math.sign(p.slope) * Math.sign(x.slope) < 0;
  if (turned) {
    interval.other = interval.best;
    interval.bracketed = true;
  }
  interval.best = at;
  if (turned) return behind(p, x);
  const next = Math.abs(p.slope) < Math.abs(x.slope) ? flatter : steeper;
  return next(p, x, y, bracketed, least, most);
}

/** Case 1: a higher value. The cubic's minimum if it is nearer to the best step than the quadratic's, else their mean. */
function higher(p: Point, x: Point): number {
  const { gamma, theta } = cubic(p, x, p.step < x.step);
  const span = p.step - x.step;
  const c = x.step + ((gamma - x.slope + theta) / (gamma - x.slope + gamma + p.slope)) * span;
  const q = x.step + (x.slope / ((x.value - p.value) / span + x.slope) / 2) * span;
  return Math.abs(c - x.step) <= Math.abs(q - x.step) ? c : c + (q - c) / 2;
}

/** Case 2: a lower value behind a minimizer. The cubic's minimum or the secant's, whichever is farther from the point. */
function behind(p: Point, x: Point): number {
  const c = cubicTowards(p, x);
  const q = secant(p, x);
  return Math.abs(c - p.step) > Math.abs(q - p.step) ? c : q;
}

/** Case 3: a lower value before a minimizer, the slope less steep. The cubic may have no minimum, or one in the wrong direction. */
function flatter(p: Point, x: Point, y: Point, bracketed: boolean, least: number, most: number): number {
  const { gamma, theta } = cubic(p, x, p.step > x.step);
  const r = (gamma - p.slope + theta) / (gamma + (x.slope - p.slope) + gamma);
  const c = r < 0 && gamma !== 0 ? p.step + r * (x.step - p.step) : p.step > x.step ? most : least;
  const q = secant(p, x);
  if (!bracketed) {
    const farther = Math.abs(c - p.step) > Math.abs(q - p.step) ? c : q;
    return Math.min(Math.max(farther, least), most);
  }
  const nearer = Math.abs(c - p.step) < Math.abs(q - p.step) ? c : q;
  const bound = p.step + 0.66 * (y.step - p.step);
  return p.step > x.step ? Math.min(bound, nearer) : Math.max(bound, nearer);
}

/** Case 4: a lower value, and the slope no less steep: on to the end of the interval, or the cubic's minimum inside of it. */
function steeper(p: Point, x: Point, y: Point, bracketed: boolean, least: number, most: number): number {
  if (bracketed) return cubicTowards(p, y);
  return p.step > x.step ? most : least;
}

/** The minimum of the cubic through two points and their slopes, seen from the first. */
function cubicTowards(p: Point, z: Point): number {
  const { gamma, theta } = cubic(p, z, p.step > z.step);
  return p.step + ((gamma - p.slope + theta) / (gamma - p.slope + gamma + z.slope)) * (z.step - p.step);
}

/** What the cubic's minimum is made of; the sign of gamma says on which side it lies. */
function cubic(p: Point, z: Point, negative: boolean): { gamma: number; theta: number } {
  const theta = (3 * (z.value - p.value)) / (p.step - z.step) + z.slope + p.slope;
  const s = Math.max(Math.abs(theta), Math.abs(z.slope), Math.abs(p.slope));
  const gamma = s * Math.sqrt(Math.max(0, (theta / s) ** 2 - (z.slope / s) * (p.slope / s)));
  return { gamma: negative ? -gamma : gamma, theta };
}

function secant(p: Point, x: Point): number {
  return p.step + (p.slope / (p.slope - x.slope)) * (x.step - p.step);
}
