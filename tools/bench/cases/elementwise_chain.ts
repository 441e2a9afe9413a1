import { Tensor } from "@espalier/tensor"
import type { Case } from "../case.ts"
import type { Formula } from "../inputs.ts"
import { uniform } from "../inputs.ts"
import { arraySubject as jaxSubject } from "../jax_subject.ts"
import { programSubject } from "../own_subject.ts"
import { tensorSubject } from "../tfjs_subject.ts"

/** min(max((√|1.5 x + 0.25| − 0.5) · x, −0.25), 0.75): eight operations that want one pass. */
const chain = (x: number): number =>
  Math.min(Math.max((Math.sqrt(Math.abs(1.5 * x + 0.25)) - 0.5) * x, -0.25), 0.75)

export const elementwiseChainCases = (quick: boolean): ReadonlyArray<Case> => {
  const shape = [quick ? 1024 : 2 ** 24]
  const inputs: ReadonlyArray<Formula> = [{ shape, seed: 6 }]
  return [
    {
      name: "elementwise-chain",
      title: `8 elementwise operations on ${shape[0].toLocaleString("en")} f32`,
      // What one pass has to read and write.
      work: { amount: (2 * 4 * shape[0]) / 1e9, unit: "GB" },
      tolerance: 1e-5,
      reference: () => Float64Array.from(uniform(inputs[0]), chain),
      implementations: {
        ours: programSubject("elementwise-chain", inputs, (x) => {
          const root = Tensor.sqrt(Tensor.abs(Tensor.add(Tensor.mul(x, 1.5), 0.25)))
          const product = Tensor.mul(Tensor.sub(root, 0.5), x)
          return Tensor.minimum(Tensor.maximum(product, -0.25), 0.75)
        }),
        tfjs: (tf) => {
          const [a, b, c, low, high] = [1.5, 0.25, 0.5, -0.25, 0.75].map((value) =>
            tf.scalar(value),
          )
          return tensorSubject(tf, inputs, (x) =>
            x.mul(a).add(b).abs().sqrt().sub(c).mul(x).maximum(low).minimum(high),
          )
        },
        jax: (jax) =>
          jaxSubject(jax, inputs, (x) => {
            const np = jax.numpy
            const product = np
              .sqrt(np.abs(x.ref.mul(1.5).add(0.25)))
              .sub(0.5)
              .mul(x)
            return np.minimum(np.maximum(product, -0.25), 0.75)
          }),
        torch: { kind: "elementwise-chain", inputs },
      },
      targets: [{ kind: "speed", than: "tfjs", atLeast: 5 }],
    },
  ]
}
