import type {
  BlockStore,
  CalibrationMissing,
  LinearMethod,
  LinearReport,
  WalkError,
} from "@espalier/calibration"
import { changeLinears, makeMemoryStore } from "@espalier/calibration"
import type { CausalLM, NamedLinear } from "@espalier/models"
import type { CheckpointStore } from "@espalier/runtime"
import { Checkpoint } from "@espalier/runtime"
import type { Device } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { ScaleUnderflow } from "./grid.ts"
import type { QuantizedWeight } from "./quantized_weight.ts"
import { bitsPerWeight, dequantize } from "./quantized_weight.ts"
import type { QuantizeError, Quantizer } from "./quantizer.ts"
import type { GroupWidthMismatch, InvalidScheme, Scheme } from "./scheme.ts"
import { checkGroup, checkScheme } from "./scheme.ts"

/** Options of {@link quantize} and {@link quantizeStore}. */
export interface QuantizeOptions {
  readonly scheme: Scheme
  /** Calibration: token windows of equal length. Methods that look at weights alone need none. */
  readonly windows?: ReadonlyArray<Int32Array>
  /** Windows that run at once; 8. */
  readonly batch?: number
  /** Measures what each layer loses, for the report; false. Needs the Hessian of its inputs. */
  readonly layerErrors?: boolean
}

/** What quantisation did to one linear. */
export interface LayerReport extends LinearReport {
  readonly layer: string
  /** Scales and zero points included. */
  readonly bitsPerWeight: number
  readonly size: number
}

/** A quantised model. */
export interface Quantized {
  /** The same model with the weights that the codes stand for, in `f32`. */
  readonly model: CausalLM
  /** The codes of each linear, by its path. */
  readonly weights: ReadonlyMap<string, QuantizedWeight>
  /** Over all quantised weights, scales and zero points included. */
  readonly bitsPerWeight: number
  readonly layers: ReadonlyArray<LayerReport>
}

/** Bits of all layers together over their weights. */
export const overallBits = (
  layers: ReadonlyArray<Pick<LayerReport, "bitsPerWeight" | "size">>,
): number => {
  const bits = layers.reduce((sum, layer) => sum + layer.bitsPerWeight * layer.size, 0)
  return bits / layers.reduce((sum, { size }) => sum + size, 0)
}

/** Keeps nothing. */
const noCheckpoints: CheckpointStore = {
  load: () => Effect.succeedNone,
  save: () => Effect.void,
  clear: () => Effect.void,
}

/** The first problem with a scheme, or with it in one of the linears of a model. */
const findProblem = (
  model: CausalLM,
  { check }: Quantizer,
  scheme: Scheme,
): InvalidScheme | GroupWidthMismatch | undefined => {
  const problem = checkScheme(scheme)
  if (problem !== undefined) return problem
  for (const linear of model.blocks.flatMap(({ linears }) => linears)) {
    const { path, shape } = linear
    const mismatch = checkGroup(scheme, path, shape[1]) ?? check?.(linear, scheme)
    if (mismatch !== undefined) return mismatch
  }
  return undefined
}

/**
 * Quantises every linear of every block of a model in a {@link BlockStore}, one block at a time. The
 * store is given the weights that the codes stand for; `quantized` is told the codes before that.
 */
export const quantizeStore = Effect.fn("quantizeStore")(function* <E, R>(
  model: CausalLM,
  store: BlockStore<E, R>,
  quantizer: Quantizer,
  options: QuantizeOptions & {
    readonly quantized: (linear: NamedLinear, weight: QuantizedWeight) => void
  },
): Effect.fn.Return<
  ReadonlyArray<LayerReport>,
  InvalidScheme | GroupWidthMismatch | CalibrationMissing | WalkError | QuantizeError | E,
  Device | R | Scope.Scope
> {
  const { scheme, windows = [], batch, quantized } = options
  const problem = findProblem(model, quantizer, scheme)
  if (problem !== undefined) return yield* problem
  const { name, statistic, factorOnly = false, scaleInputs } = quantizer
  const method: LinearMethod<ScaleUnderflow> = {
    name,
    statistic,
    factorOnly,
    ...(scaleInputs === undefined ? {} : { scaleInputs: scaleInputs(scheme) }),
    change: (problem) =>
      Effect.map(quantizer.quantize({ ...problem, scheme }), (weight) => {
        quantized(problem.linear, weight)
        return dequantize(weight)
      }),
  }
  return yield* changeLinears(model, store, method, {
    describe: ({ path, shape }) => ({
      layer: path,
      bitsPerWeight: bitsPerWeight({ shape, scheme }),
      size: shape[0] * shape[1],
    }),
    windows,
    layerErrors: options.layerErrors === true,
    ...(batch === undefined ? {} : { batch }),
  })
})

/**
 * Quantises every linear of every block of a model in memory; everything else stays, but for the gains
 * and biases that take up the scales of AWQ. The quantised block's outputs calibrate the next one.
 *
 * Fails with `InvalidScheme` and `GroupWidthMismatch` before anything runs, and with `ScaleUnderflow`
 * where weights are too small for a scale. Throws a `RangeError` where windows differ in length.
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import { initializeLlama, makeLlama, makeLlamaConfig } from "@espalier/models"
 * import { gptq, quantize } from "@espalier/quantization"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 2, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 16, contextLength: 8,
 * }))
 * const { bitsPerWeight, layers } = await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   const scheme = { bits: 4, group: "channel", symmetric: false } as const
 *   const windows = [Int32Array.of(1, 5, 3, 9), Int32Array.of(2, 2, 7, 4)]
 *   return yield* quantize(model, gptq(), { scheme, windows })
 * }).pipe(Effect.scoped, Effect.provide(Interpreter.layer), Effect.runPromise)
 * console.log(bitsPerWeight > 4, layers.length) // true 14
 * ```
 */
export const quantize = Effect.fn("quantize")(function* (
  model: CausalLM,
  quantizer: Quantizer,
  options: QuantizeOptions,
): Effect.fn.Return<
  Quantized,
  InvalidScheme | GroupWidthMismatch | CalibrationMissing | WalkError | QuantizeError,
  Device | Scope.Scope
> {
  const weights = new Map<string, QuantizedWeight>()
  const work = Effect.gen(function* () {
    const { store, result } = yield* makeMemoryStore(model, quantizer.name)
    const layers = yield* quantizeStore(model, store, quantizer, {
      ...options,
      quantized: ({ path }, weight) => void weights.set(path, weight),
    })
    return { model: result(), layers }
  })
  // A checkpoint would have the weights of finished blocks, and not their codes.
  const { model: quantized, layers } = yield* Effect.provideService(work, Checkpoint, noCheckpoints)
  return { model: quantized, weights, bitsPerWeight: overallBits(layers), layers }
})
