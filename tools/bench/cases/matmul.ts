import { Tensor } from "@espalier/tensor"
import type { Case } from "../case.ts"
import type { Formula } from "../inputs.ts"
import { uniform } from "../inputs.ts"
import { arraySubject as jaxSubject } from "../jax_subject.ts"
import { onnxModel } from "../onnx_model.ts"
import { programSubject } from "../own_subject.ts"
import { matmul } from "../references.ts"
import type { Target } from "../targets.ts"
import { tensorSubject } from "../tfjs_subject.ts"

/** One product of `f32` matrices, [m, k] · [k, n]. */
const product = (
  name: string,
  [m, k, n]: readonly [number, number, number],
  targets: ReadonlyArray<Target>,
): Case => {
  const inputs: ReadonlyArray<Formula> = [
    { shape: [m, k], seed: 1 },
    { shape: [k, n], seed: 2 },
  ]
  return {
    name,
    title: `f32 ${m}×${k} · ${k}×${n}`,
    work: { amount: (2 * m * k * n) / 1e9, unit: "GFLOP" },
    tolerance: 2e-5,
    reference: () => matmul(uniform(inputs[0]), uniform(inputs[1]), m, k, n),
    implementations: {
      ours: programSubject(name, inputs, (a, b) => Tensor.matmul(a, b)),
      tfjs: (tf) => tensorSubject(tf, inputs, (a, b) => tf.matMul(a, b)),
      jax: (jax) => jaxSubject(jax, inputs, (a, b) => jax.numpy.matmul(a, b)),
      onnxruntime: () => onnxModel(inputs, [{ operator: "MatMul", inputs: ["x0", "x1"] }]),
      torch: { kind: "matmul", inputs },
    },
    targets,
  }
}

const matrices: ReadonlyArray<Target> = [
  { kind: "speed", than: "tfjs", atLeast: 2.5 },
  { kind: "speed", than: "jax", atLeast: 3 },
  { kind: "speed", than: "torch", atLeast: 0.5 },
]

const vector: ReadonlyArray<Target> = [
  { kind: "speed", than: "tfjs", atLeast: 1.5 },
  { kind: "speed", than: "torch", atLeast: 1 },
]

/** Square, flat and single-row products. */
export const matmulCases = (quick: boolean): ReadonlyArray<Case> => {
  const long = quick ? 96 : 2048
  const square = (size: number) => {
    const extent = quick ? size / 16 : size
    return product(`matmul-${size}`, [extent, extent, extent], matrices)
  }
  return [
    ...[256, 512, 1024].map(square),
    product("matmul-64x2048x2048", [64, long, long], matrices),
    product("matvec", [1, long, long], vector),
  ]
}
