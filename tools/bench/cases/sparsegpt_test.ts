import { Naive, parseSparsity } from "@espalier/pruning"
import { assert, describe, it } from "vitest"
import { disagreement, fingerprintOf } from "../fingerprint.ts"
import { uniform } from "../inputs.ts"
import { checkPruned } from "../layer_checks.ts"
import { recorded } from "../recorded.ts"
import { problemOf, solveReference, sparseGptCases } from "./sparsegpt.ts"

const solves = ["50%", "2:4"].map(
  (text) => [text, parseSparsity(text === "2:4" ? text : 0.5)] as const,
)

describe("the check of a pruned layer", () => {
  it.each(solves)("refuses weights that make good for nothing, %s", (_, sparsity) => {
    const { weights, x } = problemOf(true)
    const [outputs, inputs] = weights.shape
    const dense = uniform(weights)
    const rows = Array.from({ length: outputs }, (_, r) => [
      ...dense.subarray(r * inputs, (r + 1) * inputs),
    ])
    const pruned = Naive.magnitude(rows, sparsity).flat()
    const found = fingerprintOf(checkPruned(pruned, dense, uniform(x), inputs))
    const expected = fingerprintOf(solveReference(true, sparsity))
    const { tolerance } = sparseGptCases(true)[1]
    assert.isUndefined(disagreement(expected, expected, tolerance))
    assert.match(disagreement(found, expected, tolerance) ?? "", /value 0 is/)
  })

  it("has a reference for each solve of full size", () => {
    for (const { name } of sparseGptCases(false).slice(1)) {
      const [error, ...rest] = recorded(name)
      assert.isTrue(error > 0.05 && error < 0.2)
      assert.deepStrictEqual(rest.slice(3), [0.5, 0.5, 0.5, 0.5])
    }
  })
})
