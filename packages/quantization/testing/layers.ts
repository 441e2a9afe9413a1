import { makeLayerProblem, toRows } from "@espalier/test-models"
import { draw } from "@espalier/testing"
import { Effect } from "effect"
import type { Rows } from "../naive/matrix.ts"
import { dequantize } from "../quantized_weight.ts"
import type { Quantizer } from "../quantizer.ts"
import type { Scheme } from "../scheme.ts"

/** Weights of which every hundredth is far out. */
export const withOutliers = (outputs: number, inputs: number, seed: number): Rows =>
  draw(outputs, inputs, seed).map((row, r) =>
    row.map((w, j) => Math.fround((r * inputs + j) % 101 === 7 ? 4 * w : 0.3 * w)),
  )

/** What a method makes of one layer that sees these tokens, as a walk would ask for it. */
export const quantizeLayer = Effect.fnUntraced(function* (
  quantizer: Quantizer,
  weight: Rows,
  scheme: Scheme,
  tokens: Rows = [weight[0]],
) {
  const problem = yield* makeLayerProblem(quantizer.statistic, weight, tokens)
  return yield* quantizer.quantize({ ...problem, scheme })
}, Effect.scoped)

/** The rows that are left of a layer. */
export const roundLayer = (...given: Parameters<typeof quantizeLayer>) =>
  Effect.map(quantizeLayer(...given), (found) => toRows(dequantize(found)))
