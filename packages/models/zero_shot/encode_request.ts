import type { Tokenizer } from "../tokenizer_interface.ts"
import { encodeDocument } from "../tokenizer.ts"
import type { LikelihoodRequest } from "./items.ts"

/** A request in tokens, cut to what a model can see. */
export interface TokenRequest {
  /** What the model reads: context and continuation without its last token. */
  readonly input: Int32Array
  /** The tokens of the continuation: predicted at the last positions of the input. */
  readonly targets: Int32Array
  /** Whether the context lost tokens on the left. */
  readonly truncated: boolean
}

/** How requests become tokens. */
export interface EncodeRequestOptions {
  /** The longest input that the model takes. */
  readonly contextLength: number
  /** Whether the begin token, where the tokenizer has one, stands before the context; true. */
  readonly begin?: boolean | undefined
}

const joined = (context: Int32Array, continuation: Int32Array): Int32Array => {
  const whole = new Int32Array(context.length + continuation.length)
  whole.set(context)
  whole.set(continuation, context.length)
  return whole
}

/**
 * The tokens of a request. White space at the end of the context belongs to the continuation; both are
 * encoded together, and what comes after as many tokens as the context alone has is the continuation. An
 * empty context is the begin token, else the end token. What is too long loses tokens on the left.
 *
 * Gives `undefined` where the continuation has no tokens or more than the model can see. Throws a
 * `RangeError` where the context is empty and the tokenizer has neither a begin nor an end token.
 *
 * Source: `_encode_pair` and `_loglikelihood_tokens` of lm-evaluation-harness 0.4. Whether a begin token
 * is put first was a setting there until 0.4.9 (`add_bos_token`, off) and is the tokenizer's business
 * since.
 *
 * @example
 * ```ts
 * const tokenizer = makeWordTokenizer(["snow", "is", "white"])
 * const request = { context: "snow is", continuation: " white" }
 * encodeRequest(tokenizer, request, { contextLength: 8 })
 * // { input: [1, 3, 4], targets: [5], truncated: false }
 * ```
 */
export const encodeRequest = (
  tokenizer: Tokenizer,
  request: LikelihoodRequest,
  options: EncodeRequestOptions,
): TokenRequest | undefined => {
  const { contextLength, begin = true } = options
  const encode = (text: string) =>
    begin ? encodeDocument(tokenizer, text) : tokenizer.encode(text)
  const context = request.context.trimEnd()
  const text = request.context + request.continuation
  let whole: Int32Array
  let kept: number
  if (context === "") {
    const first = tokenizer.begin ?? tokenizer.end
    if (first === undefined) {
      throw new RangeError("an empty context needs a tokenizer with a begin or an end token")
    }
    whole = joined(Int32Array.of(first), tokenizer.encode(text))
    kept = 1
  } else {
    whole = encode(text)
    kept = encode(context).length
  }
  const targets = whole.slice(kept)
  if (targets.length === 0 || targets.length > contextLength) return undefined
  return {
    input: whole.slice(Math.max(0, whole.length - 1 - contextLength), -1),
    targets,
    truncated: whole.length - 1 > contextLength,
  }
}
