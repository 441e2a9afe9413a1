import { Layers } from "@espalier/nn"
import { Notices, Progress } from "@espalier/runtime"
import type { CompileError, Device } from "@espalier/tensor"
import { DeviceArray, HostArray, NonFinite, Program, Spec, Tensor } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { CausalLM } from "./causal_lm.ts"
import { forward, parameterSpecs } from "./causal_lm.ts"
import { windowLength } from "./text_windows.ts"

/** What a perplexity was measured on. */
export interface Perplexity {
  /** exp of the mean over windows of the mean cross-entropy of the next tokens. */
  readonly perplexity: number
  /** Mean cross-entropy in nats a token. */
  readonly crossEntropy: number
  readonly windows: number
  /** Tokens in the windows. */
  readonly tokens: number
  readonly window: number
}

/** Options of {@link perplexity}. */
export interface PerplexityOptions {
  /** Windows that run at once; 8. */
  readonly batch?: number
}

/**
 * Mean cross-entropy of the next tokens of each window: `i32` [batch, length] → [batch], in nats.
 * The first token of a window is not predicted, and length is at least 2.
 */
export const windowCrossEntropy = (
  model: CausalLM,
  parameters: unknown,
  tokens: Tensor.Tensor,
): Tensor.Tensor => {
  const length = tokens.shape[1]
  const logits = forward(model, parameters, tokens)
  const predictions = Tensor.sliceAxis(logits, 1, 0, length - 1)
  return Tensor.mean(Layers.crossEntropy(predictions, Tensor.sliceAxis(tokens, 1, 1, length)), [1])
}

/**
 * Token windows as one `i32` array [count, length]; missing rows repeat the last window. Throws a
 * `RangeError` where there are none or where their lengths differ.
 *
 * @example
 * ```ts
 * stackWindows([Int32Array.of(1, 2), Int32Array.of(3, 4)]).shape // [2, 2]
 * ```
 */
export const stackWindows = (
  windows: ReadonlyArray<Int32Array>,
  count = windows.length,
): HostArray.HostArray => {
  const length = windowLength(windows)
  const data = new Int32Array(count * length)
  for (let row = 0; row < count; row++) {
    data.set(windows[Math.min(row, windows.length - 1)], row * length)
  }
  return HostArray.make([count, length], data, "i32")
}

/**
 * Perplexity over non-overlapping windows: exp of the mean of the windows' mean cross-entropies, as
 * in the reference implementations of SparseGPT and Wanda. Windows have equal length ≥ 2; see
 * {@link cutWindows}.
 *
 * Fails with `NonFinite` where the model gives numbers that are none.
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import { initializeLlama, makeLlama, makeLlamaConfig, perplexity } from "@espalier/models"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 16, contextLength: 8,
 * }))
 * const found = await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   return yield* perplexity(model, [Int32Array.of(1, 5, 3, 9), Int32Array.of(2, 2, 7, 4)])
 * }).pipe(Effect.provide(Interpreter.layer), Effect.scoped, Effect.runPromise)
 * console.log(found.perplexity, found.windows)
 * ```
 */
export const perplexity = Effect.fn("perplexity")(function* (
  model: CausalLM,
  windows: ReadonlyArray<Int32Array>,
  options: PerplexityOptions = {},
): Effect.fn.Return<Perplexity, Program.RunError | CompileError | NonFinite, Device | Scope.Scope> {
  const batch = Math.min(options.batch ?? 8, windows.length)
  const window = windowLength(windows)
  const program = Program.make(
    "perplexity",
    { parameters: parameterSpecs(model), tokens: Spec.i32([batch, window]) },
    ({ parameters, tokens }) => windowCrossEntropy(model, parameters, tokens),
  )
  const run = yield* Program.compile(program)
  const parameters = yield* DeviceArray.fromHostTree(model.parameters)
  let total = 0
  for (let start = 0; start < windows.length; start += batch) {
    const rows = windows.slice(start, start + batch)
    const result = yield* run({ parameters, tokens: stackWindows(rows, batch) })
    const losses = yield* DeviceArray.toArray(result)
    DeviceArray.release(result)
    for (const [i] of rows.entries()) {
      if (!Number.isFinite(losses[i])) {
        const hint = "The model's weights are damaged or its numbers overflow."
        return yield* new NonFinite({
          program: "perplexity",
          node: `window ${start + i}`,
          step: 0,
          hint,
        })
      }
      total += losses[i]
    }
    const completed = start + rows.length
    yield* Progress.report({
      task: "perplexity",
      completed,
      total: windows.length,
      unit: "windows",
    })
    yield* Effect.yieldNow
  }
  if (window < 16) {
    yield* Notices.report(`windows of ${window} tokens give the model little context`)
  }
  const crossEntropy = total / windows.length
  return {
    perplexity: Math.exp(crossEntropy),
    crossEntropy,
    windows: windows.length,
    tokens: windows.length * window,
    window,
  }
}, Effect.scoped)
