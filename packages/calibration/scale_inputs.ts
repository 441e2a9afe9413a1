import type { Block, NamedLinear } from "@espalier/models"
import type { Device } from "@espalier/tensor"
import { HostArray } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { BlockParameters } from "./block_store.ts"
import type { Hessian } from "./hessian.ts"
import { diagonalOf } from "./hessian.ts"
import type { LayerInputs, MethodError } from "./layer_inputs.ts"
import { layerInputsOf, readLayerInputs } from "./layer_inputs.ts"
import type { Programs } from "./programs.ts"
import type { BlockVisit } from "./walk_blocks.ts"

/** Linears that share their inputs, which may be scaled before the linears are changed. */
export interface ScaleProblem {
  readonly linears: ReadonlyArray<NamedLinear>
  /** Their weights, [outputs, inputs] each. */
  readonly weights: ReadonlyArray<HostArray.HostArray>
  readonly inputs: LayerInputs
  readonly programs: Programs
}

/** Gives the positive numbers that inputs are divided by, and weights multiplied with; or none. */
export type ScaleInputs<E = never> = (
  problem: ScaleProblem,
) => Effect.Effect<Float32Array | undefined, MethodError | E, Device | Scope.Scope>

/** A matrix with its columns multiplied. */
const multiplyColumns = (
  { shape, data }: HostArray.HostArray,
  scales: Float32Array,
): HostArray.HostArray =>
  HostArray.make(
    shape,
    Float32Array.from(data, (value, i) => value * scales[i % scales.length]),
  )

/** Rows, or numbers, divided. */
const divideRows = (
  { shape, data }: HostArray.HostArray,
  scales: Float32Array,
): HostArray.HostArray => {
  const width = data.length / scales.length
  return HostArray.make(
    shape,
    Float32Array.from(data, (value, i) => value / scales[Math.floor(i / width)]),
  )
}

/** Σ x xᵀ of inputs that were divided. */
const divideHessian = ({ inputs, upper }: Hessian, scales: Float32Array): Hessian => {
  const divided = new Float32Array(upper.length)
  for (let i = 0, at = 0; i < inputs; i++) {
    for (let j = i; j < inputs; j++, at++) divided[at] = upper[at] / (scales[i] * scales[j])
  }
  return { inputs, upper: divided }
}

/** The parameters that can take up a scale of the inputs of exactly these linears. */
const parametersBefore = (
  { foldable = [] }: Block,
  linears: ReadonlyArray<NamedLinear>,
): ReadonlyArray<string> | undefined => {
  const names = new Set(linears.map(({ name }) => name))
  return foldable.find(
    (each) => each.linears.length === names.size && each.linears.every((name) => names.has(name)),
  )?.into
}

/**
 * Scales the inputs of the linears of a block where something before them can take that up: the block
 * computes what it did, but for rounding. Gives all of its parameters, the names of those that took up
 * scales, and what calibration knows of the inputs as they are then.
 */
export const scaleBlock = Effect.fnUntraced(function* <F, E, R>(
  { block, inputs: groups, parameters, samples }: BlockVisit<E, R>,
  programs: Programs,
  scaleInputs: ScaleInputs<F>,
) {
  const own: Record<string, HostArray.HostArray> = { ...(yield* parameters()) }
  const changed = new Set<string>()
  const scaled: Array<{
    readonly linears: ReadonlyArray<NamedLinear>
    readonly inputs: LayerInputs
  }> = []
  for (const group of groups) {
    const { linears } = group
    const into = parametersBefore(block, linears)
    // In a scope of its own: what is on the device is of the inputs as they were.
    const { hessian, scales } = yield* Effect.scoped(
      Effect.gen(function* () {
        const inputs = yield* readLayerInputs(group, samples)
        const weights = linears.map(({ name }) => own[name])
        const problem = { linears, weights, inputs, programs }
        const scales = into === undefined ? undefined : yield* scaleInputs(problem)
        return { hessian: inputs.hessian, scales }
      }),
    )
    if (scales !== undefined) {
      for (const { name } of linears) own[name] = multiplyColumns(own[name], scales)
      for (const name of into ?? []) {
        own[name] = divideRows(own[name], scales)
        changed.add(name)
      }
    }
    const after = scales === undefined ? hessian : divideHessian(hessian, scales)
    const inputs = yield* layerInputsOf(linears[0].path, samples, after, diagonalOf(after), false)
    scaled.push({ linears, inputs })
  }
  const result: BlockParameters = own
  return { parameters: result, changed, inputs: scaled }
})
