import { squaredInputs } from "@espalier/calibration"
import { DeviceArray, HostArray, Program, Scalar, Spec, Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import { applyMask, wandaMask } from "./masks.ts"
import type { Pruner } from "./pruner.ts"
import { printSparsity } from "./sparsity.ts"

/**
 * Removes the weights with the smallest |W| · ‖x‖ of each output row, or of each group of M inputs.
 * Weights are not updated.
 *
 * Source: Sun et al. 2024, "A simple and effective pruning approach for large language models".
 */
export const wanda = (): Pruner => ({
  name: "wanda",
  statistic: squaredInputs,
  prune: Effect.fnUntraced(function* ({ weight, sparsity, inputs, programs }) {
    const { shape } = weight
    const key = `wanda ${shape.join("x")} ${printSparsity(sparsity)}`
    const run = yield* programs.get(key, () =>
      Program.make(
        "wanda",
        { weight: Spec.f32(shape), squares: Spec.f32([shape[1]]), samples: Scalar },
        ({ weight, squares, samples }) =>
          applyMask(weight, wandaMask(weight, Tensor.div(squares, samples), sparsity)),
      ),
    )
    const squares = HostArray.make([shape[1]], inputs.squares)
    const given = { weight, squares, samples: inputs.samples }
    return yield* DeviceArray.toHost(yield* run(given))
  }),
})
