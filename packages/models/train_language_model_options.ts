import type { LearningRateSchedule, Optimizer, ParameterFilter } from "@espalier/nn"
import { Optimizers, Schedules } from "@espalier/nn"
import type { CausalLM } from "./causal_lm.ts"

/** The optimisers that have a name here. */
export const optimizerNames = ["adamw", "lion", "muon"] as const
export type OptimizerName = (typeof optimizerNames)[number]

/** The schedules that have a name here. */
export const scheduleNames = ["cosine", "constant", "wsd"] as const
export type ScheduleName = (typeof scheduleNames)[number]

const isMatrix: ParameterFilter = (_, shape) => shape.length > 1

/**
 * An optimiser with the constants that are usual for language models: decays (0.9, 0.95) for AdamW and
 * decoupled weight decay of matrices only, 0.1 (1 for Lion, whose rates are ten times smaller). Muon
 * orthogonalises the linears of the blocks and leaves the rest to AdamW.
 *
 * @example
 * ```ts
 * import { languageModelOptimizer } from "@espalier/models"
 *
 * console.log(languageModelOptimizer("lion").slots) // [ "momentum" ]
 * ```
 */
export const languageModelOptimizer = (
  name: OptimizerName,
  model?: Pick<CausalLM, "blocks">,
): Optimizer => {
  const adamW = { firstDecay: 0.9, secondDecay: 0.95, weightDecay: 0.1, decays: isMatrix }
  switch (name) {
    case "adamw":
      return Optimizers.adamW(adamW)
    case "lion":
      return Optimizers.lion({ weightDecay: 1, decays: isMatrix })
    case "muon": {
      const linears = model?.blocks.flatMap((block) => block.linears.map(({ path }) => path))
      const hidden = linears === undefined ? undefined : new Set(linears)
      const matrices: ParameterFilter = (path) => hidden?.has(path) ?? true
      return Optimizers.muon({ ...adamW, matrices })
    }
  }
}

/** The peak rate that suits small models under an optimiser: 2e-3, a tenth of it for Lion. */
export const usualLearningRate = (name: OptimizerName): number => (name === "lion" ? 2e-4 : 2e-3)

/**
 * A schedule by name: warm-up over a twentieth of the steps, then `cosine` down to a twentieth of the
 * peak, `constant`, or `wsd`, which goes down in a line in the last fifth.
 */
export const languageModelSchedule = (
  name: ScheduleName,
  options: { readonly peak: number; readonly steps: number; readonly warmup?: number },
): LearningRateSchedule => {
  const { peak, steps, warmup = Math.ceil(steps / 20) } = options
  const floor = 0.05
  switch (name) {
    case "cosine":
      return Schedules.warmupCosine({ peak, warmup, steps, floor })
    case "constant":
      return Schedules.warmupConstant({ peak, warmup })
    case "wsd":
      return Schedules.warmupStableDecay({
        peak,
        warmup,
        steps,
        decay: Math.ceil(steps / 5),
        floor,
      })
  }
}
