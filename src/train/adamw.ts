/** AdamW (Loshchilov and Hutter 2017, arXiv 1711.05101), with PyTorch's order of operations. */
export interface AdamWSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled: p ← p (1 - lr · weightDecay) before the update. */
  readonly weightDecay: number;
}

export const defaultAdamW: AdamWSettings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/** The moments of every parameter, and how many steps they have seen. */
export interface AdamWState {
  readonly step: number;
  readonly first: ReadonlyMap<string, Float32Array>;
  readonly second: ReadonlyMap<string, Float32Array>;
}

type Tensors = ReadonlyMap<string, Float32Array>;

export function initAdamW(parameters: Tensors): AdamWState {
  const zeros = (): Map<string, Float32Array> => new Map([...parameters].map(([name, { length }]) => [name, new Float32Array(length)]));
  return { step: 0, first: zeros(), second: zeros() };
}

/**
 * One step: new parameters and a new state; what was given stays as it was.
 *
 * m ← β1 m + (1-β1) g,  v ← β2 v + (1-β2) g²,  p ← p - lr · m / (1-β1ᵗ) / (sqrt(v / (1-β2ᵗ)) + ε)
 */
export function updateAdamW(
  parameters: Tensors,
  gradients: Tensors,
  state: AdamWState,
  lr: number,
  { beta1, beta2, epsilon, weightDecay }: AdamWSettings,
): { parameters: Map<string, Float32Array>; state: AdamWState } {
  const step = state.step + 1;
  const correction1 = 1 - beta1 ** step;
  const correction2 = Math.sqrt(1 - beta2 ** step);
  const rate = lr / correction1;
  const decay = 1 - lr * weightDecay;
  const updated = new Map<string, Float32Array>();
  const first = new Map<string, Float32Array>();
  const second = new Map<string, Float32Array>();
  for (const [name, parameter] of parameters) {
    const gradient = gradients.get(name)!;
    const m = Float32Array.from(state.first.get(name)!);
    const v = Float32Array.from(state.second.get(name)!);
    const p = Float32Array.from(parameter);
    for (let i = 0; i < p.length; i++) {
      const g = gradient[i]!;
      m[i] = m[i]! + (g - m[i]!) * (1 - beta1);
      v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
      p[i] = p[i]! * decay - (rate * m[i]!) / (Math.sqrt(v[i]!) / correction2 + epsilon);
    }
    updated.set(name, p);
    first.set(name, m);
    second.set(name, v);
  }
  return { parameters: updated, state: { step, first, second } };
}

/** The Euclidean norm of all gradients together. */
export function gradientNorm(gradients: Tensors): number {
  let squares = 0;
  for (const gradient of gradients.values()) for (const g of gradient) squares += g * g;
  return Math.sqrt(squares);
}

/** Scales gradients in place so that their norm is at most `most`, by min(1, most / (norm + 1e-6)) as PyTorch does; gives the norm before. */
export function clipGradients(gradients: Tensors, most: number): number {
  const norm = gradientNorm(gradients);
  const factor = most / (norm + 1e-6);
  if (factor < 1) for (const gradient of gradients.values()) for (let i = 0; i < gradient.length; i++) gradient[i]! *= factor;
  return norm;
}
