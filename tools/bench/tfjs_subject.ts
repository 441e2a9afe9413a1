import type * as Tfjs from "@tensorflow/tfjs"
import type { Formula } from "./inputs.ts"
import { uniform } from "./inputs.ts"
import type { Subject } from "./protocol.ts"

type Library = typeof Tfjs

/** A function of some arrays that gives one, called eagerly as tfjs does; its kernels are synchronous. */
export const tensorSubject = (
  tf: Library,
  formulas: ReadonlyArray<Formula>,
  build: (...inputs: ReadonlyArray<Tfjs.Tensor>) => Tfjs.Tensor,
): Subject => {
  const inputs = formulas.map((formula) => tf.tensor(uniform(formula), [...formula.shape]))
  const once = () => tf.tidy(() => build(...inputs))
  return {
    values: async () => {
      const result = once()
      const values = await result.data()
      result.dispose()
      return values
    },
    iterate: async (count) => {
      for (let i = 0; i < count; i++) once().dispose()
    },
  }
}
