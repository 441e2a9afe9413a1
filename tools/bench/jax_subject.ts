import type * as Jax from "@jax-js/jax"
import type { Formula } from "./inputs.ts"
import { uniform } from "./inputs.ts"
import type { Subject } from "./protocol.ts"

type Library = typeof Jax
type JaxArray = Jax.Array

/** An array of a formula on jax-js's default device. */
export const jaxArray = (jax: Library, formula: Formula): JaxArray =>
  jax.numpy.array(uniform(formula) as Float32Array<ArrayBuffer>, { shape: [...formula.shape] })

/** A jitted function of some arrays that gives one. */
export const arraySubject = (
  jax: Library,
  formulas: ReadonlyArray<Formula>,
  build: (...inputs: ReadonlyArray<JaxArray>) => JaxArray,
): Subject => {
  const inputs = formulas.map((formula) => jaxArray(jax, formula))
  const run = jax.jit((...given: Array<JaxArray>) => build(...given))
  // A function consumes its arguments; `ref` keeps ours.
  const once = () => run(...inputs.map((input) => input.ref))
  return {
    values: async () => await once().data(),
    iterate: async (count) => {
      for (let i = 0; i < count; i++) {
        const result = once()
        await result.blockUntilReady()
        result.dispose()
      }
    },
  }
}
