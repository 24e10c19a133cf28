import type { Ops } from '../ops.ts';
import type { Tensor, TensorFlow } from './tf.ts';

/** A tensor of every run: fed from outside, an input or a weight, or computed from others. */
export interface Step {
  readonly inputs: readonly Step[];
  /** Makes a new tensor, never gives back one of its inputs. What is fed has none. */
  readonly compute?: (...inputs: Tensor[]) => Tensor;
}

/**
 * Records each operation as a step that calls TensorFlow.js. A run replays the steps, so that a tensor can be freed after
 * its last use, which an operation that computed at once could not know.
 */
export class TensorFlowOps implements Ops<Step> {
  /** In the order in which they were recorded: each after those it is computed from. */
  readonly steps: Step[] = [];
  readonly #tf: TensorFlow;

  constructor(tf: TensorFlow) {
    this.#tf = tf;
  }

  embedding(table: Step, ids: Step): Step {
    return this.#step([table, ids], (t, i) => this.#tf.gather(t, i));
  }

  linear(x: Step, weight: Step, bias?: Step): Step {
    const y = this.matmul(x, weight, { transposeB: true });
    return bias === undefined ? y : this.add(y, bias);
  }

  adaptedLinear(x: Step, weight: Step, a: Step, b: Step, alpha: number): Step {
    const low = this.matmul(x, a, { transposeB: true });
    return this.add(this.linear(x, weight), this.matmul(low, b, { transposeB: true, alpha }));
  }

  roundedLinear(x: Step, weight: Step): Step {
    const tf = this.#tf;
    const product = tf.customGrad((t, w, save) => {
      save([w]);
      return {
        value: roundedProduct(tf, t, w),
        gradFunc: (dy, [weight]) => [roundedProduct(tf, dy, tf.transpose(weight!, [1, 0])), tf.zerosLike(weight!)],
      };
    });
    return this.#step([x, weight], (t, w) => product(t, w));
  }

  matmul(a: Step, b: Step, { transposeB = false, alpha = 1 }: { transposeB?: boolean; alpha?: number } = {}): Step {
    return this.#step([a, b], (x, y) => matmul(this.#tf, x, y, transposeB, alpha));
  }

  add(a: Step, b: Step): Step {
    return this.#step([a, b], (x, y) => this.#tf.add(x, y));
  }

  mul(a: Step, b: Step): Step {
    return this.#step([a, b], (x, y) => this.#tf.mul(x, y));
  }

  div(a: Step, b: Step): Step {
    return this.#step([a, b], (x, y) => this.#tf.div(x, y));
  }

  sub(a: Step, b: Step): Step {
    return this.#step([a, b], (x, y) => this.#tf.sub(x, y));
  }

  rmsNorm(x: Step, gain: Step, epsilon: number): Step {
    const tf = this.#tf;
    return this.#step([x, gain], (t, g) => {
      const inverseDeviation = tf.rsqrt(tf.add(tf.mean(tf.square(t), -1, true), epsilon)); // [...,1]
      return tf.mul(tf.mul(t, inverseDeviation), g);
    });
  }

  rotary(x: Step, cos: Step, sin: Step, heads: number): Step {
    const tf = this.#tf;
    // (x1, x2) of each head become (x1 cos - x2 sin, x2 cos + x1 sin)
    return this.#step([x, cos, sin], (t, c, s) => {
      const [batch, length, width] = t.shape as [number, number, number];
      const half = width / heads / 2;
      const byHead = tf.reshape(t, [batch, length, heads, 2 * half]);
      const size = [batch, length, heads, half];
      const first = tf.slice(byHead, [0, 0, 0, 0], size);
      const second = tf.slice(byHead, [0, 0, 0, half], size);
      const [cosine, sine] = [c, s].map((angle) => tf.reshape(angle, [length, 1, half])) as [Tensor, Tensor];
      const turned = [
        tf.sub(tf.mul(first, cosine), tf.mul(second, sine)),
        tf.add(tf.mul(second, cosine), tf.mul(first, sine)),
      ];
      return tf.reshape(tf.concat(turned, 3), t.shape);
    });
  }

  softmax(x: Step): Step {
    return this.#step([x], (t) => this.#tf.softmax(t));
  }

  logSoftmax(x: Step): Step {
    return this.#step([x], (t) => this.#tf.logSoftmax(t));
  }

  silu(x: Step): Step {
    return this.#step([x], (t) => this.#tf.mul(t, this.#tf.sigmoid(t)));
  }

  gelu(x: Step): Step {
    const tf = this.#tf;
    // x/2 (1 + tanh(sqrt(2/pi) x (1 + 0.044715 x²)))
    return this.#step([x], (t) => {
      const inner = tf.mul(tf.mul(t, tf.add(tf.mul(tf.square(t), 0.044715), 1)), Math.sqrt(2 / Math.PI));
      return tf.mul(tf.mul(t, 0.5), tf.add(tf.tanh(inner), 1));
    });
  }

  tanh(x: Step): Step {
    return this.#step([x], (t) => this.#tf.tanh(t));
  }

  norm(x: Step): Step {
    return this.#step([x], (t) => this.#tf.sqrt(this.#tf.sum(this.#tf.square(t), -1, true)));
  }

  sum(x: Step): Step {
    return this.#step([x], (t) => this.#tf.sum(t, -1));
  }

  scale(x: Step, factor: number): Step {
    return this.#step([x], (t) => this.#tf.mul(t, factor));
  }

  shift(x: Step, addend: number): Step {
    return this.#step([x], (t) => this.#tf.add(t, addend));
  }

  slice(x: Step, axis: number, start: number, length: number): Step {
    return this.#step([x], (t) => {
      const begin = t.shape.map(() => 0).with(axis, start);
      return this.#tf.slice(t, begin, t.shape.with(axis, length));
    });
  }

  reshape(x: Step, shape: readonly number[]): Step {
    return this.#step([x], (t) => this.#tf.reshape(t, shape.map((length, axis) => (length === 0 ? t.shape[axis]! : length))));
  }

  transpose(x: Step, permutation: readonly number[]): Step {
    return this.#step([x], (t) => this.#tf.transpose(t, permutation));
  }

  concat(parts: readonly Step[], axis: number): Step {
    return this.#step(parts, (...tensors) => this.#tf.concat(tensors, axis));
  }

  spread(x: Step, slots: readonly Step[]): Step[] {
    return slots.map((group) => this.embedding(x, group));
  }

  join(parts: readonly Step[], _slots: readonly Step[], places: Step): Step {
    const rows = parts.map((part) => this.#step([part], (t) => this.#tf.reshape(t, [-1, t.shape.at(-1)!])));
    return this.embedding(rows.length === 1 ? rows[0]! : this.concat(rows, 0), places);
  }

  #step<const S extends readonly Step[]>(inputs: S, compute: (...inputs: { [I in keyof S]: Tensor }) => Tensor): Step {
    const step = { inputs, compute: compute as (...inputs: Tensor[]) => Tensor };
    this.steps.push(step);
    return step;
  }
}

/** a [...,M,K] b [...,K,N] alpha, or b [...,N,K]ᵀ. The gradient of TensorFlow.js's own product knows no broadcasting. */
function matmul(tf: TensorFlow, a: Tensor, b: Tensor, transposeB: boolean, alpha: number): Tensor {
  const [m, k, n] = [a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(transposeB ? -2 : -1)!];
  // The factor goes where there is less to multiply.
  const left = alpha !== 1 && k <= n ? tf.mul(a, alpha) : a;
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const product =
    b.shape.length === 2
      ? tf.reshape(tf.matMul(tf.reshape(left, [-1, k]), b, false, transposeB), [...batch, m, n])
      : tf.matMul(expand(tf, left, batch), expand(tf, b, batch), false, transposeB);
  return alpha !== 1 && k > n ? tf.mul(product, alpha) : product;
}

/** x weightᵀ with the rows of both rounded to 8 bits: whole numbers, whose products float32 holds but for the last bits of long sums. */
function roundedProduct(tf: TensorFlow, x: Tensor, weight: Tensor): Tensor {
  const rounded = (t: Tensor): [Tensor, Tensor] => {
    const largest = tf.maximum(tf.max(tf.abs(t), -1, true), 1e-30);
    return [tf.round(tf.div(tf.div(t, largest), Math.fround(1 / 127))), tf.mul(largest, 1 / 127)];
  };
  const [[rows, rowSteps], [columns, columnSteps]] = [rounded(x), rounded(weight)];
  return tf.mul(tf.mul(matmul(tf, rows, columns, true, 1), rowSteps), tf.reshape(columnSteps, [-1]));
}

/** The shape that two have together. What does not fit is left for TensorFlow to refuse. */
function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [p, q] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    return p === 1 ? q : p;
  });
}

/** A matrix repeated along its leading axes; the sum of a broadcast has a gradient of any rank, which tiling has not. */
function expand(tf: TensorFlow, x: Tensor, batch: readonly number[]): Tensor {
  const matrix = x.shape.slice(-2);
  const isWhole = x.shape.length === batch.length + 2 && batch.every((length, axis) => x.shape[axis] === length);
  return isWhole ? x : tf.add(x, tf.zeros([...batch, ...matrix]));
}
