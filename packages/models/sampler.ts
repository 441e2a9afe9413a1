import { makeRandom } from "./random.ts"

/** How the next token is chosen from logits. */
export interface SamplingOptions {
  /** 0 takes the most likely token; 1 samples from the model's own distribution. Default 0. */
  readonly temperature?: number
  /** Samples among the fewest tokens whose probabilities reach this sum (Holtzman et al. 2020). Default 1. */
  readonly topP?: number
  /** Same seed, same text. Default 0. */
  readonly seed?: number
}

const argmax = (values: ArrayLike<number>): number => {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i
  return best
}

/**
 * A chooser of tokens with its own seeded stream of random numbers.
 *
 * @example
 * ```ts
 * const greedy = makeSampler()
 * greedy([0.1, 2, -1]) // 1
 * const sample = makeSampler({ temperature: 0.8, topP: 0.9, seed: 7 })
 * sample([0.1, 2, -1]) // 0 or 1
 * ```
 */
export const makeSampler = (
  options: SamplingOptions = {},
): ((logits: ArrayLike<number>) => number) => {
  const { temperature = 0, topP = 1, seed = 0 } = options
  if (temperature === 0) return argmax
  const random = makeRandom(seed)
  return (logits) => {
    const largest = logits[argmax(logits)]
    const weights = Array.from(logits, (logit, token) => ({
      token,
      weight: Math.exp((logit - largest) / temperature),
    }))
    const total = weights.reduce((sum, { weight }) => sum + weight, 0)
    const ordered = weights.sort((a, b) => b.weight - a.weight || a.token - b.token)
    let kept = 0
    let mass = 0
    while (kept < ordered.length && (kept === 0 || mass < topP * total)) {
      mass += ordered[kept++].weight
    }
    let left = (random.below(2 ** 32) / 2 ** 32) * mass
    for (let i = 0; i < kept; i++) {
      left -= ordered[i].weight
      if (left < 0) return ordered[i].token
    }
    return ordered[kept - 1].token
  }
}
