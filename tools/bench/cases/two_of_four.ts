import { packTwoOfFour, twoOfFourLinear } from "@espalier/pruning"
import { HostArray, Tensor } from "@espalier/tensor"
import { Result } from "effect"
import type { Case } from "../case.ts"
import type { Formula } from "../inputs.ts"
import { uniform } from "../inputs.ts"
import { arraysSubject } from "../own_subject.ts"
import { matmul } from "../references.ts"

/** The two largest of every four consecutive weights. */
const keepTwoOfFour = (weights: Float32Array): Float32Array => {
  const kept = weights.slice()
  for (let at = 0; at < kept.length; at += 4) {
    const order = [0, 1, 2, 3].toSorted((a, b) => Math.abs(kept[at + a]) - Math.abs(kept[at + b]))
    for (const i of order.slice(0, 2)) kept[at + i] = 0
  }
  return kept
}

/** x · Wᵀ of a 2:4 weight, packed and dense. */
const product = (
  name: string,
  [rows, outputs, inputs]: readonly [number, number, number],
  atLeast: number,
): Case => {
  const x: Formula = { shape: [rows, inputs], seed: 15 }
  const weights: Formula = { shape: [outputs, inputs], seed: 16 }
  const hostOf = (formula: Formula) => HostArray.make(formula.shape, uniform(formula))
  const pruned = () => HostArray.make(weights.shape, keepTwoOfFour(uniform(weights)))
  return {
    name,
    title: `${rows} × a packed 2:4 weight ${outputs}×${inputs}; dense elsewhere`,
    // What the dense product has to do.
    work: { amount: (2 * rows * outputs * inputs) / 1e9, unit: "GFLOP" },
    tolerance: 2e-5,
    reference: () => {
      const { data } = pruned()
      const turned = Float32Array.from(data, (_, at) => {
        const [i, o] = [Math.floor(at / outputs), at % outputs]
        return data[o * inputs + i]
      })
      return matmul(uniform(x), turned, rows, inputs, outputs)
    },
    implementations: {
      ours: arraysSubject(
        name,
        () => {
          const { values, places } = Result.getOrThrow(packTwoOfFour(pruned()))
          return [hostOf(x), values, places]
        },
        (x, values, places) => twoOfFourLinear(x, { values, places }),
      ),
      plain: arraysSubject(
        name,
        () => [hostOf(x), pruned()],
        (x, weight) => Tensor.matmul(x, Tensor.transpose(weight)),
      ),
      torch: { kind: "two-of-four", x, weights },
    },
    targets: [{ kind: "speed", than: "plain", atLeast }],
  }
}

/** What a packed 2:4 weight brings: a row as in decoding, some rows, and many as in training. */
export const twoOfFourCases = (quick: boolean): ReadonlyArray<Case> => {
  const [large, wide, many] = quick ? [64, 96, 20] : [2048, 5632, 512]
  return [
    product("two-of-four-1x2048", [1, large, large], 1.3),
    product("two-of-four-1x5632", [1, wide, large], 1.3),
    product("two-of-four-8x2048", [8, large, large], 1.2),
    product("two-of-four-64x2048", [64, large, large], 1),
    product("two-of-four-512x2048", [many, large, large], 0.9),
  ]
}
