import { Context, Effect } from "effect"

/**
 * How an answer is drawn. What is left out is the server's own default. The settings are part of a
 * provider's configuration and of each request, and so of the key of a transcript.
 */
export interface Sampling {
  /** 0 takes the most likely token; 1 samples as the model predicts. */
  readonly temperature?: number
  /** Sample among the likeliest tokens of this total probability, in (0, 1]. */
  readonly topP?: number
  /** Most tokens of the answer. */
  readonly maxTokens?: number
  /** Same seed, same answer, as far as the server can. */
  readonly seed?: number
  /** Texts that end the answer and are not part of it. */
  readonly stop?: ReadonlyArray<string>
}

/** The sampling settings among options that hold more. */
export const samplingOf = (options: Sampling): Sampling => ({
  ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
  ...(options.topP === undefined ? {} : { topP: options.topP }),
  ...(options.maxTokens === undefined ? {} : { maxTokens: options.maxTokens }),
  ...(options.seed === undefined ? {} : { seed: options.seed }),
  ...(options.stop === undefined ? {} : { stop: options.stop }),
})

/** What the calls inside an effect change of their provider's sampling. */
export class SamplingOverrides extends Context.Reference<Sampling>(
  "@espalier/llm/SamplingOverrides",
  { defaultValue: () => ({}) },
) {}

/**
 * Changes the sampling settings of every call inside an effect; what is not named stays as the
 * provider is configured.
 *
 * @example
 * ```ts
 * import { scriptedLanguageModel, withSampling } from "@espalier/llm"
 * import { Effect } from "effect"
 * import { LanguageModel } from "effect/ai"
 *
 * const answer = LanguageModel.generateText({ prompt: "How tall is Ben Nevis?" }).pipe(
 *   withSampling({ temperature: 0, maxTokens: 20 }),
 *   Effect.provide(scriptedLanguageModel(() => "1,345 m")),
 * )
 * console.log((await Effect.runPromise(answer)).text) // 1,345 m
 * ```
 */
export const withSampling =
  (sampling: Sampling) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(SamplingOverrides, (outer) =>
      Effect.provideService(effect, SamplingOverrides, { ...outer, ...sampling }),
    )
