import { HostArray } from "@espalier/tensor"
import { Schema } from "effect"

const Positive = Schema.Finite.check(Schema.isGreaterThan(0))

/**
 * How the wavelengths of rotary embeddings are stretched for contexts longer than those the model was
 * first trained on.
 *
 * `linear` divides every frequency by `factor` (Chen et al. 2023, "position interpolation"). `llama3`
 * divides those of which fewer than `lowFrequencyFactor` wavelengths fit into `originalContextLength`,
 * keeps those of which more than `highFrequencyFactor` fit, and goes linearly from one to the other
 * between (Llama 3.1).
 */
export const RopeScaling = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("linear"), factor: Positive }),
  Schema.Struct({
    kind: Schema.Literal("llama3"),
    factor: Positive,
    lowFrequencyFactor: Positive,
    highFrequencyFactor: Positive,
    originalContextLength: Positive,
  }),
])
export type RopeScaling = typeof RopeScaling.Type

const scaled = (frequency: number, scaling: RopeScaling | undefined): number => {
  if (scaling === undefined) return frequency
  const { factor } = scaling
  if (scaling.kind === "linear") return frequency / factor
  const { lowFrequencyFactor: low, highFrequencyFactor: high, originalContextLength } = scaling
  const wavelengths = (originalContextLength * frequency) / (2 * Math.PI)
  if (wavelengths < low) return frequency / factor
  if (wavelengths > high) return frequency
  const kept = (wavelengths - low) / (high - low)
  return ((1 - kept) * frequency) / factor + kept * frequency
}

/** The frequency of each pair of a head, in radians a position: [width / 2]. */
export const rotaryFrequencies = (
  width: number,
  theta: number,
  scaling?: RopeScaling,
): ReadonlyArray<number> =>
  Array.from({ length: width / 2 }, (_, pair) =>
    scaled(Math.pow(theta, -(2 * pair) / width), scaling),
  )

/**
 * Cosines and signed sines for `Layers.rotate` in the interleaved layout: pair (2i, 2i + 1) of a head
 * turns by `position · frequency[i]`. Both have shape [length, width].
 */
export const rotaryTables = (
  length: number,
  frequencies: ReadonlyArray<number>,
): { readonly cosine: HostArray.HostArray; readonly sine: HostArray.HostArray } => {
  const width = 2 * frequencies.length
  const cosine = new Float64Array(length * width)
  const sine = new Float64Array(length * width)
  for (let position = 0; position < length; position++) {
    for (const [pair, frequency] of frequencies.entries()) {
      const at = position * width + 2 * pair
      const angle = position * frequency
      cosine[at] = cosine[at + 1] = Math.cos(angle)
      sine[at + 1] = Math.sin(angle)
      sine[at] = -sine[at + 1]
    }
  }
  return {
    cosine: HostArray.make([length, width], cosine),
    sine: HostArray.make([length, width], sine),
  }
}
