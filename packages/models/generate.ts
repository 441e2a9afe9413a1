import type { CompileError, Device, Tensor } from "@espalier/tensor"
import { DeviceArray, HostArray, NonFinite, Program, Spec, Tree } from "@espalier/tensor"
import { Effect, Option, Schema, Scope, Stream } from "effect"
import type { CausalLM } from "./causal_lm.ts"
import { parameterSpecs } from "./causal_lm.ts"
import { makeSampler } from "./sampler.ts"
import type { SamplingOptions } from "./sampler.ts"

/** The prompt leaves no room in the context, or the context asked for is longer than the model's. */
export class ContextExceeded extends Schema.TaggedError<ContextExceeded>()("ContextExceeded", {
  promptTokens: Schema.Int,
  maxContext: Schema.Int,
  contextLength: Schema.Int,
  hint: Schema.String,
}) {
  override get message(): string {
    return `A prompt of ${this.promptTokens} tokens and a context of ${this.maxContext} do not fit a model of ${this.contextLength}. ${this.hint}`
  }
}

/** Options of {@link generate}. */
export interface GenerateOptions extends SamplingOptions {
  /** Most tokens to generate. */
  readonly tokens: number
  /** Most tokens of prompt and continuation together; the model's context by default. */
  readonly maxContext?: number
  /** A token that ends the text and is not given out. */
  readonly stop?: ReadonlyArray<number>
}

/** Everything that can stop generation. */
export type GenerateError = Program.RunError | CompileError | NonFinite | ContextExceeded

/** What a decoding step is given: the model's trees, and one token with its position. */
export interface DecodeInputs {
  readonly parameters: unknown
  readonly state: unknown
  readonly token: Spec
  readonly position: Spec
}

/** The program of one decoding step; the state is meant to be donated. */
export const makeDecodeStep = (
  model: CausalLM,
  maxContext: number,
): Program.Program<DecodeInputs, { readonly logits: Tensor.Tensor; readonly state: unknown }> =>
  Program.make(
    "decode",
    {
      parameters: parameterSpecs(model),
      state: model.stateSpec(maxContext),
      token: Spec.i32([]),
      position: Spec.i32([]),
    },
    ({ parameters, state, token, position }) => model.step(parameters, state, token, position),
  )

/** The decoding state before the first token: zeros. */
const emptyState = (model: CausalLM, maxContext: number): unknown =>
  Tree.map<Spec, HostArray.HostArray, unknown>(model.stateSpec(maxContext), ({ shape, dtype }) =>
    HostArray.zeros(shape, dtype),
  )

/**
 * Continues a prompt token by token, with a key-value cache that is updated in place. Ends after
 * `tokens` tokens, at a stop token, or where the context is full. The prompt is not repeated.
 *
 * Fails with `ContextExceeded` before anything runs, with `NonFinite` where a logit is no number.
 *
 * @example
 * ```ts
 * import { Effect, Result, Stream } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import { generate, initializeLlama, makeLlama, makeLlamaConfig } from "@espalier/models"
 *
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, keyValueHeads: 1,
 *   vocabularySize: 16, contextLength: 8,
 * }))
 * const tokens = await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   return yield* Stream.runCollect(generate(model, Int32Array.of(1, 2), { tokens: 5 }))
 * }).pipe(Effect.provide(Interpreter.layer), Effect.runPromise)
 * console.log(tokens.length) // 5
 * ```
 */
export const generate = (
  model: CausalLM,
  prompt: Int32Array,
  options: GenerateOptions,
): Stream.Stream<number, GenerateError, Device> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const maxContext = options.maxContext ?? model.contextLength
      if (maxContext > model.contextLength || prompt.length >= maxContext || prompt.length === 0) {
        const { contextLength } = model
        const hint =
          prompt.length === 0
            ? "Give a prompt, or a tokenizer with a begin token."
            : prompt.length >= contextLength
              ? `Use a prompt of at most ${contextLength - 1} tokens.`
              : `Choose a context between ${prompt.length + 1} and ${contextLength} tokens.`
        return yield* new ContextExceeded({
          promptTokens: prompt.length,
          maxContext,
          contextLength,
          hint,
        })
      }
      const run = yield* Program.compile(makeDecodeStep(model, maxContext))
      const parameters = yield* DeviceArray.fromHostTree(model.parameters)
      let state = yield* DeviceArray.fromHostTree(emptyState(model, maxContext))
      const sample = makeSampler(options)
      const stop = new Set(options.stop ?? [])

      const step = Effect.fnUntraced(function* (token: number, position: number) {
        const given = { parameters, state, token, position }
        const result = yield* run(given, { donate: ["state"] })
        state = result.state
        const { data } = yield* DeviceArray.toHost(result.logits)
        DeviceArray.release(result.logits)
        return data
      })
      const choose = Effect.fnUntraced(function* (logits: ArrayLike<number>, position: number) {
        if (Array.from(logits).every(Number.isFinite)) return sample(logits)
        const hint = "The model's weights are damaged or its numbers overflow."
        return yield* new NonFinite({ program: "decode", node: "logits", step: position, hint })
      })

      const scope = yield* Effect.scope
      const ended = [[], Option.none()] as const
      let position = 0
      for (; position < prompt.length - 1; position++) yield* step(prompt[position], position)
      return Stream.paginate({ token: prompt[position], position, count: 0 }, (at) =>
        Effect.gen(function* () {
          if (at.count >= options.tokens || at.position + 1 >= maxContext) return ended
          const logits = yield* step(at.token, at.position)
          const token = yield* choose(logits, at.position)
          if (stop.has(token)) return ended
          const next = { token, position: at.position + 1, count: at.count + 1 }
          return [[token], Option.some(next)] as const
        }).pipe(Scope.provide(scope)),
      )
    }),
  )
