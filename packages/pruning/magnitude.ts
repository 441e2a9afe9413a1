import { nothing } from "@espalier/calibration"
import { DeviceArray, Program, Spec } from "@espalier/tensor"
import { Effect } from "effect"
import { applyMask, magnitudeMask } from "./masks.ts"
import type { Pruner } from "./pruner.ts"
import { printSparsity } from "./sparsity.ts"

/**
 * Removes the smallest weights. Needs no text. Unstructured sparsity compares over each whole matrix.
 *
 * Source: Han et al. 2015, "Learning both weights and connections".
 */
export const magnitude = (): Pruner => ({
  name: "magnitude",
  statistic: nothing,
  prune: Effect.fnUntraced(function* ({ weight, sparsity, programs }) {
    const { shape } = weight
    const key = `magnitude ${shape.join("x")} ${printSparsity(sparsity)}`
    const run = yield* programs.get(key, () =>
      Program.make("magnitude", { weight: Spec.f32(shape) }, ({ weight }) =>
        applyMask(weight, magnitudeMask(weight, sparsity)),
      ),
    )
    return yield* DeviceArray.toHost(yield* run({ weight }))
  }),
})
