import { Tensor } from "@espalier/tensor"
import type { Case } from "../case.ts"
import type { Formula } from "../inputs.ts"
import { uniform } from "../inputs.ts"
import { arraySubject as jaxSubject } from "../jax_subject.ts"
import { programSubject } from "../own_subject.ts"
import { tensorSubject } from "../tfjs_subject.ts"

/** Adds `count` arrays of 16 numbers: all of its time is what a run costs whatever it computes. */
const addition = (count: number): Case => {
  const inputs: ReadonlyArray<Formula> = Array.from({ length: count }, (_, i) => ({
    shape: [16],
    seed: 20 + i,
  }))
  const name = `host-dispatch-${count}`
  return {
    name,
    title: `a program of ${count} inputs that computes next to nothing`,
    tolerance: 1e-5,
    reference: () => {
      const values = inputs.map((formula) => uniform(formula))
      return Array.from({ length: 16 }, (_, i) => values.reduce((sum, each) => sum + each[i], 0))
    },
    implementations: {
      ours: programSubject(name, inputs, (...given) =>
        given.reduce((sum, each) => Tensor.add(sum, each)),
      ),
      tfjs: (tf) => tensorSubject(tf, inputs, (...given) => tf.addN([...given])),
      jax: (jax) =>
        jaxSubject(jax, inputs, (...given) => given.reduce((sum, each) => sum.add(each))),
      torch: { kind: "host-dispatch", inputs },
    },
    singleThread: true,
    targets: [],
  }
}

/** The cost of a run itself. */
export const hostDispatchCases = (): ReadonlyArray<Case> => [addition(2), addition(60)]
