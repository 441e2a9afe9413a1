import { Effect, type Layer, Stream } from "effect"
import type { LanguageModel, Prompt, Response } from "effect/ai"
import { languageModelLayer } from "./language_model.ts"
import type { Provider, ProviderCall } from "./provider.ts"
import { promptText } from "./provider_call.ts"
import { estimateTokens } from "./spending/estimate_tokens.ts"

/** A call as a script sees it. */
export interface ScriptedCall {
  readonly prompt: Prompt.Prompt
  /** All text of the prompt. */
  readonly text: string
  /** 0 for the first call. */
  readonly index: number
}

/** The answer to each call, or a function that answers. */
export type Script = ReadonlyArray<string> | ((call: ScriptedCall) => string)

const finish = (prompt: string, answer: string): Response.FinishPartEncoded => ({
  type: "finish",
  reason: "stop",
  usage: {
    inputTokens: {
      uncached: undefined,
      total: estimateTokens(prompt),
      cacheRead: undefined,
      cacheWrite: undefined,
    },
    outputTokens: { total: estimateTokens(answer), text: undefined, reasoning: undefined },
  },
})

/** A provider that answers as it is told, without a network. An array's last answer is repeated. */
export const makeScriptedProvider = (script: Script): Effect.Effect<Provider> =>
  Effect.sync(() => {
    let index = 0
    const answer = ({ options: { prompt } }: ProviderCall) => {
      const call = { prompt, text: promptText(prompt), index: index++ }
      if (typeof script === "function") return { call, text: script(call) }
      return { call, text: script[Math.min(call.index, script.length - 1)] ?? "" }
    }
    return {
      name: "scripted",
      model: "script",
      sampling: {},
      secrets: [],
      price: "free",
      generate: (given) =>
        Effect.sync(() => {
          const { call, text } = answer(given)
          return [{ type: "text", text }, finish(call.text, text)]
        }),
      stream: (given) =>
        Stream.suspend(() => {
          const { call, text } = answer(given)
          const deltas = text
            .split(/(?<=\s)/)
            .map((delta) => ({ type: "text-delta", id: "0", delta }) as const)
          return Stream.make<ReadonlyArray<Response.StreamPartEncoded>>(
            { type: "text-start", id: "0" },
            ...deltas,
            { type: "text-end", id: "0" },
            finish(call.text, text),
          )
        }),
    }
  })

/**
 * A `LanguageModel` that answers as it is told: for tests and examples.
 *
 * @example
 * ```ts
 * import { scriptedLanguageModel } from "@espalier/llm"
 * import { Effect } from "effect"
 * import { LanguageModel } from "effect/ai"
 *
 * const model = scriptedLanguageModel(({ text, index }) => `${index}: ${text.length} characters`)
 * const answer = Effect.provide(LanguageModel.generateText({ prompt: "Hello" }), model)
 * console.log((await Effect.runPromise(answer)).text) // 0: 5 characters
 * ```
 */
export const scriptedLanguageModel = (script: Script): Layer.Layer<LanguageModel.LanguageModel> =>
  languageModelLayer(makeScriptedProvider(script))
