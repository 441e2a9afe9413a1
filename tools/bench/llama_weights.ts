import type { LlamaConfig, LlamaParameters } from "@espalier/models"
import { llamaParameterEntries, llamaParameterShapes, mapLlamaParameters } from "@espalier/models"
import { HostArray } from "@espalier/tensor"
import type { Formula } from "./inputs.ts"
import { uniform } from "./inputs.ts"

/** The formula of one parameter by its path: gains are 1, matrices have variance 1/inputs. */
const formulaOf = (shape: ReadonlyArray<number>, seed: number): Formula => {
  if (shape.length === 1) return { shape, seed, scale: 0, offset: 1 }
  return { shape, seed, scale: Math.sqrt(3 / shape[1]) }
}

/** A formula for each parameter of a model, in the order of its tree. */
export const llamaFormulas = (config: LlamaConfig): ReadonlyArray<readonly [string, Formula]> =>
  llamaParameterEntries(llamaParameterShapes(config)).map(([name, shape], i) => [
    name,
    formulaOf(shape, 100 + i),
  ])

/** The parameters themselves. */
export const llamaWeights = (config: LlamaConfig): LlamaParameters<HostArray.HostArray> => {
  const formulas = new Map(llamaFormulas(config))
  return mapLlamaParameters(llamaParameterShapes(config), (shape, name) =>
    HostArray.make(shape, uniform(formulas.get(name)!)),
  )
}
