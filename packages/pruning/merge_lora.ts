import type { NonFiniteValues } from "@espalier/calibration"
import { checkParameters } from "@espalier/calibration"
import type { CausalLM, NamedLinear } from "@espalier/models"
import { HostArray } from "@espalier/tensor"
import { Effect, Schema } from "effect"

/** What LoRA adds to a linear: scale · B · A. */
export interface LoraAdapter {
  /** A, [rank, inputs]. */
  readonly a: HostArray.HostArray
  /** B, [outputs, rank]. */
  readonly b: HostArray.HostArray
  /** α / rank. */
  readonly scale: number
}

/** Adapters by the path of their linear, such as `blocks.0.query`. */
export type LoraAdapters = Readonly<Record<string, LoraAdapter>>

/** An adapter does not have the shape of its linear. */
export class LoraShapeMismatch extends Schema.TaggedError<LoraShapeMismatch>()(
  "LoraShapeMismatch",
  {
    layer: Schema.String,
    weight: Schema.Array(Schema.Int),
    a: Schema.Array(Schema.Int),
    b: Schema.Array(Schema.Int),
    hint: Schema.String,
  },
) {
  override get message(): string {
    const [a, b, weight] = [this.a, this.b, this.weight].map((shape) => `[${shape.join(", ")}]`)
    return `B ${b} · A ${a} is no update of ${this.layer}, ${weight}. ${this.hint}`
  }
}

/** An adapter is for a linear that the model does not have. */
export class UnknownLinear extends Schema.TaggedError<UnknownLinear>()("UnknownLinear", {
  layer: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `The model has no linear ${this.layer}. ${this.hint}`
  }
}

/** What became of one adapter. */
export interface LoraLayerReport {
  readonly layer: string
  readonly size: number
  /** Zeros of the weight, all of which stay. */
  readonly zeros: number
  /** Zeros that W + scale · B · A would have left. */
  readonly plainZeros: number
  /** The share of ‖scale · B · A‖² that falls on zeros and is lost. */
  readonly lost: number
}

/** A weight with an adapter in it. */
export interface MergedWeight {
  readonly weight: HostArray.HostArray
  readonly report: LoraLayerReport
}

/** A model with adapters in it. */
export interface MergedLora {
  readonly model: CausalLM
  readonly layers: ReadonlyArray<LoraLayerReport>
}

/**
 * W′ = (W + scale · B · A) ⊙ [W ≠ 0], computed in `f64`: zeros keep their bits. W is
 * [outputs, inputs], and the adapter must fit.
 *
 * @example
 * ```ts
 * import { HostArray } from "@espalier/tensor"
 * import { mergeLoraWeight } from "@espalier/pruning"
 *
 * const weight = HostArray.make([1, 2], [3, 0])
 * const adapter = { a: HostArray.make([1, 2], [1, 1]), b: HostArray.make([1, 1], [2]), scale: 0.5 }
 * const merged = mergeLoraWeight("blocks.0.query", weight, adapter)
 * console.log(merged.weight.data, merged.report.lost) // Float32Array(2) [ 4, 0 ] 0.5
 * ```
 */
export const mergeLoraWeight = (
  layer: string,
  weight: HostArray.HostArray,
  { a, b, scale }: LoraAdapter,
): MergedWeight => {
  const [outputs, inputs] = weight.shape
  const [rank] = a.shape
  const data = Float32Array.from(weight.data)
  const update = new Float64Array(inputs)
  let [zeros, plainZeros, all, lost] = [0, 0, 0, 0]
  for (let o = 0; o < outputs; o++) {
    update.fill(0)
    for (let r = 0; r < rank; r++) {
      const factor = scale * b.data[o * rank + r]
      for (let i = 0; i < inputs; i++) update[i] += factor * a.data[r * inputs + i]
    }
    for (let i = 0; i < inputs; i++) {
      const at = o * inputs + i
      const sum = Math.fround(data[at] + update[i])
      if (sum === 0) plainZeros++
      all += update[i] ** 2
      if (data[at] !== 0) data[at] = sum
      else {
        zeros++
        lost += update[i] ** 2
      }
    }
  }
  const share = all === 0 ? 0 : lost / all
  const report = { layer, size: data.length, zeros, plainZeros, lost: share }
  return { weight: HostArray.make(weight.shape, data), report }
}

const checkAdapter = (
  { path, shape }: NamedLinear,
  { a, b, scale }: LoraAdapter,
): Effect.Effect<void, LoraShapeMismatch | NonFiniteValues> => {
  const fits =
    a.shape.length === 2 &&
    b.shape.length === 2 &&
    a.shape[1] === shape[1] &&
    b.shape[0] === shape[0] &&
    a.shape[0] === b.shape[1]
  if (!fits) {
    const hint = "A must be [rank, inputs] and B [outputs, rank]."
    return Effect.fail(
      new LoraShapeMismatch({ layer: path, weight: shape, a: a.shape, b: b.shape, hint }),
    )
  }
  const factor = HostArray.make([], [scale])
  return Effect.asVoid(
    checkParameters({ [`${path}.a`]: a, [`${path}.b`]: b, [`${path}.scale`]: factor }),
  )
}

/**
 * Merges LoRA adapters into a pruned model so that it stays pruned: what an adapter adds to a zero is
 * lost, and the report says how much that is. Other linears stay as they are.
 *
 * Fails with `UnknownLinear`, `LoraShapeMismatch` and `NonFiniteValues` before anything is merged.
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { HostArray, Interpreter } from "@espalier/tensor"
 * import { initializeLlama, makeLlama, makeLlamaConfig } from "@espalier/models"
 * import { magnitude, mergeLora, parseSparsity, prune } from "@espalier/pruning"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 16, contextLength: 8,
 * }))
 * const ones = (shape: [number, number]) => HostArray.make(shape, Array(shape[0] * shape[1]).fill(1))
 * const { layers } = await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   const pruned = yield* prune(model, magnitude(), { sparsity: parseSparsity("2:4") })
 *   const adapter = { a: ones([2, 8]), b: ones([8, 2]), scale: 0.1 }
 *   return yield* mergeLora(pruned.model, { "blocks.0.query": adapter })
 * }).pipe(Effect.scoped, Effect.provide(Interpreter.layer), Effect.runPromise)
 * console.log(layers[0].lost, layers[0].zeros, layers[0].plainZeros) // 0.5 32 0
 * ```
 */
export const mergeLora = Effect.fn("mergeLora")(function* (
  model: CausalLM,
  adapters: LoraAdapters,
): Effect.fn.Return<MergedLora, UnknownLinear | LoraShapeMismatch | NonFiniteValues> {
  const linears = new Map(
    model.blocks.flatMap((block) => block.linears.map((linear) => [linear.path, linear] as const)),
  )
  for (const [path, adapter] of Object.entries(adapters)) {
    const linear = linears.get(path)
    if (linear !== undefined) yield* checkAdapter(linear, adapter)
    else {
      const hint = `It has ${[...linears.keys()].slice(0, 7).join(", ")} and so on.`
      return yield* new UnknownLinear({ layer: path, hint })
    }
  }
  const layers: Array<LoraLayerReport> = []
  let { parameters } = model
  for (const block of model.blocks) {
    const own = { ...block.parameters(parameters) } as Record<string, HostArray.HostArray>
    for (const { name, path } of block.linears) {
      if (adapters[path] === undefined) continue
      const merged = mergeLoraWeight(path, own[name], adapters[path])
      own[name] = merged.weight
      layers.push(merged.report)
      yield* Effect.yieldNow
    }
    parameters = block.replace(parameters, own)
  }
  return { model: model.withParameters(parameters), layers }
})

/** How sparse the adapted linears are, and would be if their adapters were merged without care. */
export interface PlainMerge {
  readonly sparsity: number
  readonly merged: number
}

/**
 * What W + scale · B · A without a mask does to the zeros of the linears that have an adapter.
 *
 * @example
 * ```ts
 * import { measurePlainMerge } from "@espalier/pruning"
 *
 * const reports = [{ layer: "blocks.0.query", size: 8, zeros: 4, plainZeros: 1, lost: 0.5 }]
 * console.log(measurePlainMerge(reports)) // { sparsity: 0.5, merged: 0.125 }
 * ```
 */
export const measurePlainMerge = (layers: ReadonlyArray<LoraLayerReport>): PlainMerge => {
  const total = (of: (layer: LoraLayerReport) => number) =>
    layers.reduce((sum, layer) => sum + of(layer), 0)
  const size = total((layer) => layer.size)
  return {
    sparsity: size === 0 ? 0 : total(({ zeros }) => zeros) / size,
    merged: size === 0 ? 0 : total(({ plainZeros }) => plainZeros) / size,
  }
}
