import type { DecoderConfig } from '../models/types.ts';
import { families } from './family.ts';

/** Layers whose down projection makes the few huge activations that all later layers carry on. */
const earlyLayers = 3;

/**
 * The projections that are multiplied in float32 where all others are in 8-bit integers. Values are not averaged before
 * they are rounded, and the early down projections have inputs with a few numbers a thousand times the others (Sun et al.
 * 2024, "Massive Activations in Large Language Models"), beside which all others round to nothing. On SmolLM2 at 8 layers
 * these 12 % of the products make six times less error in the vectors than if they were rounded as well.
 */
export function unroundedProjections(config: DecoderConfig, layers: number): ReadonlySet<string> {
  const { layer } = families[config.family];
  const all = Array.from({ length: layers }, (_, index) => layer(index));
  return new Set([...all.map(({ value }) => value), ...all.slice(0, earlyLayers).map(({ down }) => down)]);
}
