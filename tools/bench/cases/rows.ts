import { Tensor } from "@espalier/tensor"
import type { Case, Implementations } from "../case.ts"
import type { Formula } from "../inputs.ts"
import { uniform } from "../inputs.ts"
import { arraySubject as jaxSubject } from "../jax_subject.ts"
import { onnxModel } from "../onnx_model.ts"
import { programSubject } from "../own_subject.ts"
import * as References from "../references.ts"
import type { Target } from "../targets.ts"
import { tensorSubject } from "../tfjs_subject.ts"

const epsilon = 1e-5

interface Function extends Omit<Implementations, "torch"> {
  readonly name: string
  readonly reference: () => ArrayLike<number>
  readonly targets?: ReadonlyArray<Target>
  readonly inputs: ReadonlyArray<Formula>
}

const noSlower: Target = { kind: "relativeTime", than: "tfjs", atMost: 1 }

/** Functions of a million numbers in rows of 1024. */
export const rowCases = (quick: boolean): ReadonlyArray<Case> => {
  const shape = quick ? [8, 64] : [1024, 1024]
  const [rows, width] = shape
  const x: Formula = { shape, seed: 3, scale: 4 }
  const gain: Formula = { shape: [width], seed: 4, scale: 0.5, offset: 1 }
  const bias: Formula = { shape: [width], seed: 5 }
  const each = ({ name, reference, targets = [], inputs, ...implementations }: Function): Case => ({
    name,
    title: `${name} of f32 [${shape.join(", ")}]`,
    work: { amount: (2 * 4 * rows * width) / 1e9, unit: "GB" },
    tolerance: 1e-5,
    reference,
    implementations: { ...implementations, torch: { kind: name, inputs, epsilon } },
    targets: [noSlower, ...targets],
  })
  const map = (f: (x: number) => number) => () => Float64Array.from(uniform(x), f)
  return [
    each({
      name: "softmax",
      inputs: [x],
      reference: () => References.byRows(uniform(x), width, References.softmaxRow),
      ours: programSubject("softmax", [x], (x) => Tensor.softmax(x)),
      tfjs: (tf) => tensorSubject(tf, [x], (x) => tf.softmax(x)),
      jax: (jax) => jaxSubject(jax, [x], (x) => jax.nn.softmax(x, -1)),
      onnxruntime: () => onnxModel([x], [{ operator: "Softmax", inputs: ["x0"] }]),
      targets: [{ kind: "relativeTime", than: "torch", atMost: 2 }],
    }),
    each({
      name: "layer-norm",
      inputs: [x, gain, bias],
      reference: () => {
        const row = References.layerNormRow(uniform(gain), uniform(bias), epsilon)
        return References.byRows(uniform(x), width, row)
      },
      ours: programSubject("layer-norm", [x, gain, bias], (x, gain, bias) => {
        const centered = Tensor.sub(x, Tensor.mean(x, [-1], { keepDims: true }))
        const variance = Tensor.mean(Tensor.square(centered), [-1], { keepDims: true })
        const scale = Tensor.rsqrt(Tensor.add(variance, epsilon))
        return Tensor.add(Tensor.mul(Tensor.mul(centered, scale), gain), bias)
      }),
      tfjs: (tf) =>
        tensorSubject(tf, [x, gain, bias], (x, gain, bias) => {
          const { mean, variance } = tf.moments(x, -1, true)
          return x.sub(mean).mul(variance.add(epsilon).rsqrt()).mul(gain).add(bias)
        }),
      jax: (jax) =>
        jaxSubject(jax, [x, gain, bias], (x, gain, bias) =>
          jax.nn.standardize(x, -1, { epsilon }).mul(gain).add(bias),
        ),
      onnxruntime: () =>
        onnxModel(
          [x, gain, bias],
          [
            {
              operator: "LayerNormalization",
              inputs: ["x0", "x1", "x2"],
              attributes: { epsilon: { float: epsilon } },
            },
          ],
        ),
    }),
    each({
      name: "gelu",
      inputs: [x],
      reference: map(References.gelu),
      ours: programSubject("gelu", [x], (x) => Tensor.gelu(x)),
      tfjs: (tf) => tensorSubject(tf, [x], (x) => x.mul(Math.SQRT1_2).erf().add(1).mul(x).mul(0.5)),
      jax: (jax) => jaxSubject(jax, [x], (x) => jax.nn.gelu(x, { approximate: false })),
      onnxruntime: () => onnxModel([x], [{ operator: "Gelu", inputs: ["x0"] }]),
    }),
    each({
      name: "exp",
      inputs: [x],
      reference: map(Math.exp),
      ours: programSubject("exp", [x], (x) => Tensor.exp(x)),
      tfjs: (tf) => tensorSubject(tf, [x], (x) => x.exp()),
      jax: (jax) => jaxSubject(jax, [x], (x) => jax.numpy.exp(x)),
      onnxruntime: () => onnxModel([x], [{ operator: "Exp", inputs: ["x0"] }]),
    }),
  ]
}
