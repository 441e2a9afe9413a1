import type { CompileError, Device, NonFinite, Program } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect, Schema } from "effect"
import type { CausalLM } from "../causal_lm.ts"
import type { Tokenizer } from "../tokenizer_interface.ts"
import type { MeanAndError } from "./accuracy.ts"
import { meanAndError, scoreItem } from "./accuracy.ts"
import type { TokenRequest } from "./encode_request.ts"
import { encodeRequest } from "./encode_request.ts"
import type { ZeroShotItem } from "./items.ts"
import { logLikelihoods } from "./log_likelihood.ts"

/** None of the questions fits into what the model can see. */
export class NothingToScore extends Schema.TaggedError<NothingToScore>()("NothingToScore", {
  items: Schema.Int,
  contextLength: Schema.Int,
  hint: Schema.String,
}) {
  override get message(): string {
    return `None of ${this.items} questions can be scored with a context of ${this.contextLength} tokens. ${this.hint}`
  }
}

/** What a model scores on a benchmark. */
export interface ZeroShotScore {
  /** `acc`: the share of right answers. */
  readonly accuracy: MeanAndError
  /** `acc_norm`: the same where choices are compared per character. */
  readonly accuracyPerCharacter?: MeanAndError
  /** exp of the mean negative log-likelihood of the continuations, where there is nothing to choose. */
  readonly perplexity?: number
  /** What guessing scores. */
  readonly chance: number
  /** Questions scored. */
  readonly items: number
  /** Questions left out, because a choice has no tokens or more than the model can see. */
  readonly unscored: number
  /** Requests whose context lost tokens on the left to fit. */
  readonly truncated: number
}

/** Options of {@link zeroShot}. */
export interface ZeroShotOptions {
  /** Requests that run at once, where memory allows; 16. */
  readonly batch?: number | undefined
  /** Whether the begin token, where the tokenizer has one, stands before each context; true. */
  readonly begin?: boolean | undefined
  /** What progress is reported as. */
  readonly task?: string | undefined
}

const mean = (values: ReadonlyArray<number>): number => meanAndError(values).mean

/**
 * Scores a model on questions by the likelihoods of their answers, as lm-evaluation-harness defines it:
 * nothing is generated, and the model is not trained on the questions. A figure within two standard errors
 * of `chance` says nothing about the model; one of 260K parameters does no better.
 *
 * Fails with {@link NothingToScore}, and with `NonFinite` where the model gives numbers that are none.
 *
 * @example
 * ```ts
 * import { Effect, Result } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import {
 *   initializeLlama, makeLlama, makeLlamaConfig, makeWordTokenizer, readZeroShotItems, zeroShot,
 *   zeroShotTasks,
 * } from "@espalier/models"
 *
 * const tokenizer = makeWordTokenizer(["snow", "is", "white", "hot"])
 * const config = Result.getOrThrow(makeLlamaConfig({
 *   dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, keyValueHeads: 1,
 *   vocabularySize: tokenizer.vocabularySize, contextLength: 16,
 * }))
 * const line = '{"query":"snow is","choices":["white","hot"],"gold":0}'
 * const task = zeroShotTasks.find(({ name }) => name === "openbookqa")
 * const items = Result.getOrThrow(readZeroShotItems(task!, "questions.jsonl", line))
 * const score = await Effect.gen(function* () {
 *   const model = makeLlama(config, yield* initializeLlama(config, 0))
 *   return yield* zeroShot(model, tokenizer, items)
 * }).pipe(Effect.provide(Interpreter.layer), Effect.scoped, Effect.runPromise)
 * console.log(score.chance, score.items) // 0.5 1
 * ```
 */
export const zeroShot = Effect.fn("zeroShot")(function* (
  model: CausalLM,
  tokenizer: Tokenizer,
  items: ReadonlyArray<ZeroShotItem>,
  options: ZeroShotOptions = {},
): Effect.fn.Return<
  ZeroShotScore,
  Program.RunError | CompileError | NonFinite | NothingToScore,
  Device | Scope.Scope
> {
  const { contextLength } = model
  const { batch, begin, task } = options
  const encoded = items.flatMap((item) => {
    const requests = item.requests
      .map((request) => encodeRequest(tokenizer, request, { contextLength, begin }))
      .filter((request): request is TokenRequest => request !== undefined)
    return requests.length === item.requests.length ? [{ item, requests }] : []
  })
  if (encoded.length === 0) {
    const hint =
      items.length === 0
        ? "No question is left: use fewer of them as examples."
        : "Use questions that are shorter, or a model with a longer context."
    return yield* new NothingToScore({ items: items.length, contextLength, hint })
  }
  const requests = encoded.flatMap((each) => each.requests)
  const likelihoods = yield* logLikelihoods(model, requests, { batch, task })
  let offset = 0
  const scores = encoded.map((each) => {
    const own = likelihoods.slice(offset, (offset += each.requests.length))
    return scoreItem(each.item, own)
  })
  const normalized = scores.flatMap(({ rightPerCharacter }) =>
    rightPerCharacter === undefined ? [] : [Number(rightPerCharacter)],
  )
  const sums = scores.flatMap(({ logLikelihood }) =>
    logLikelihood === undefined ? [] : [logLikelihood],
  )
  return {
    accuracy: meanAndError(scores.map(({ right }) => Number(right))),
    ...(normalized.length === 0 ? {} : { accuracyPerCharacter: meanAndError(normalized) }),
    ...(sums.length === 0 ? {} : { perplexity: Math.exp(-mean(sums)) }),
    // Nobody guesses a word.
    chance: mean(
      encoded.map(({ item }) => (item.gold === undefined ? 0 : 1 / item.requests.length)),
    ),
    items: encoded.length,
    unscored: items.length - encoded.length,
    truncated: requests.filter(({ truncated }) => truncated).length,
  }
})
