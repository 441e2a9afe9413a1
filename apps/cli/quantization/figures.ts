import type { QatResult, Quantized } from "@espalier/quantization"

/** What a person compares methods by. */
export interface QuantizeFigures {
  /** Over all quantised weights, scales and zero points included. */
  readonly bitsPerWeight: number
  /** ‖(Ŵ − W) X‖² / ‖W X‖² over the calibration text, where it was measured. */
  readonly layerError?: {
    readonly overall: number
    readonly layers: Readonly<Record<string, number>>
  }
  /** Of the change that was trained. */
  readonly rank?: number
  /** Numbers that were trained, over quantised weights. */
  readonly trainedShare?: number
  readonly trainTokens?: number
  /** Mean of the last steps. */
  readonly loss?: number
}

const mean = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** Of a method that looks at each linear once. */
export const oneShotFigures = ({
  bitsPerWeight,
  layers,
}: Pick<Quantized, "bitsPerWeight" | "layers">): QuantizeFigures => {
  const errors = layers.flatMap(({ layer, error }) =>
    error === undefined ? [] : [[layer, error] as const],
  )
  if (errors.length === 0) return { bitsPerWeight }
  const overall = mean(errors.map(([, error]) => error))
  return { bitsPerWeight, layerError: { overall, layers: Object.fromEntries(errors) } }
}

/** Of a method that trains. */
export const trainedFigures = (
  {
    bitsPerWeight,
    trainedShare,
    trainTokens,
    losses,
  }: Pick<QatResult, "bitsPerWeight" | "trainedShare" | "trainTokens" | "losses">,
  rank: number,
): QuantizeFigures => ({
  bitsPerWeight,
  rank,
  trainedShare,
  trainTokens,
  loss: mean(losses.slice(-20)),
})
