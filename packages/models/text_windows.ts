import { Result, Schema } from "effect"
import { makeRandom } from "./random.ts"
import { encodeDocument } from "./tokenizer.ts"
import type { Tokenizer } from "./tokenizer_interface.ts"

/** A window does not fit into what the model can see at once. */
export class WindowTooLong extends Schema.TaggedError<WindowTooLong>()("WindowTooLong", {
  window: Schema.Int,
  contextLength: Schema.Int,
  hint: Schema.String,
}) {
  override get message(): string {
    return `A window of ${this.window} tokens is longer than the model's context of ${this.contextLength}. ${this.hint}`
  }
}

/** A text that is empty, or too short for a single window. */
export class TextTooShort extends Schema.TaggedError<TextTooShort>()("TextTooShort", {
  /** Tokens that there are. */
  tokens: Schema.Int,
  /** Tokens that one window takes. */
  window: Schema.Int,
  hint: Schema.String,
}) {
  override get message(): string {
    return `The text has ${this.tokens} tokens, fewer than one window of ${this.window}. ${this.hint}`
  }
}

/** `"documents"`, or the text that stands between two documents. */
export type Join = string

/**
 * The tokens of many documents as one stream.
 *
 * With `join: "documents"` (the default), each document's tokens after the begin token where the
 * tokenizer has one; empty documents are left out. With any other `join`, the documents are put together with that text between them
 * and encoded as a single document, with one begin token before it: `"\n\n"` is the WikiText protocol.
 *
 * @example
 * ```ts
 * const tokenizer = makeWordTokenizer(["a", "b", "c", "-"])
 * tokenStream(tokenizer, ["a b", "c"]) // 1, 3, 4, 1, 5
 * tokenStream(tokenizer, ["a b", "c"], " - ") // 1, 3, 4, 6, 5
 * ```
 */
export const tokenStream = (
  tokenizer: Tokenizer,
  documents: ReadonlyArray<string>,
  join: Join = "documents",
): Int32Array => {
  if (join !== "documents") {
    const text = documents.join(join)
    return text === "" ? new Int32Array(0) : encodeDocument(tokenizer, text)
  }
  const encoded = documents
    .filter((document) => document !== "")
    .map((document) => encodeDocument(tokenizer, document))
  const stream = new Int32Array(encoded.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const tokens of encoded) {
    stream.set(tokens, offset)
    offset += tokens.length
  }
  return stream
}

/** How to cut a stream. */
export interface WindowOptions {
  /** Tokens per window. */
  readonly window: number
  /** How many windows to take; all of them by default. */
  readonly samples?: number
  /** The first windows (the default), or random ones without repetition, in the order of the text. */
  readonly sampling?: "first" | "random"
  /** Chooses the random windows; without effect on the first ones. Default 0. */
  readonly seed?: number
  /** The longest window that the model takes. */
  readonly contextLength?: number
}

/** Windows of equal length. Where `available` is below `requested`, there are fewer than asked for. */
export interface TextWindows {
  readonly windows: ReadonlyArray<Int32Array>
  readonly window: number
  /** Windows in the whole stream. */
  readonly available: number
  readonly requested?: number
  /** Tokens in the whole stream, the dropped tail included. */
  readonly tokens: number
}

/**
 * The length that windows share. Throws a `RangeError` where there is no window or where their
 * lengths differ.
 *
 * @example
 * ```ts
 * windowLength([Int32Array.of(1, 2, 3), Int32Array.of(4, 5, 6)]) // 3
 * ```
 */
export const windowLength = (windows: ReadonlyArray<Int32Array>): number => {
  if (windows.length === 0) throw new RangeError("there are no windows: give at least one")
  const { length } = windows[0]
  const odd = windows.find((window) => window.length !== length)
  if (odd === undefined) return length
  throw new RangeError(`windows must have equal lengths, not ${length} and ${odd.length}`)
}

const chooseRandom = (available: number, samples: number, seed: number): ReadonlyArray<number> => {
  const random = makeRandom(seed)
  const indices = Array.from({ length: available }, (_, i) => i)
  for (let i = 0; i < samples; i++) {
    const other = i + random.below(available - i)
    ;[indices[i], indices[other]] = [indices[other], indices[i]]
  }
  return indices.slice(0, samples).sort((a, b) => a - b)
}

/**
 * Cuts a stream into windows of equal length, one after the other; the tail is dropped.
 *
 * Fails with {@link WindowTooLong} or {@link TextTooShort}; fewer windows than `samples` are no failure
 * but are told by `available`. Throws a `RangeError` where `window` or `samples` is no positive integer.
 *
 * @example
 * ```ts
 * const stream = tokenStream(makeWordTokenizer(["a", "b"]), ["a b", "b b a"])
 * const { windows, available } = Result.getOrThrow(cutWindows(stream, { window: 3, samples: 64 }))
 * available // 2
 * ```
 */
export const cutWindows = (
  stream: Int32Array,
  options: WindowOptions,
): Result.Result<TextWindows, WindowTooLong | TextTooShort> => {
  const { window, samples, sampling = "first", seed = 0, contextLength } = options
  for (const [name, value] of [
    ["window", window],
    ["samples", samples ?? 1],
  ] as const) {
    if (!Number.isSafeInteger(value) || value <= 0) {
      throw new RangeError(`${name} must be a positive integer, not ${value}`)
    }
  }
  if (contextLength !== undefined && window > contextLength) {
    return Result.fail(
      new WindowTooLong({
        window,
        contextLength,
        hint: `Choose a window of at most ${contextLength}.`,
      }),
    )
  }
  const available = Math.floor(stream.length / window)
  if (available === 0) {
    return Result.fail(
      new TextTooShort({
        tokens: stream.length,
        window,
        hint:
          stream.length === 0
            ? "The text is empty: check its path, its field, and what skip and take leave of it."
            : `Choose a window of at most ${stream.length}, or give more text.`,
      }),
    )
  }
  const taken = Math.min(samples ?? available, available)
  const indices =
    sampling === "random"
      ? chooseRandom(available, taken, seed)
      : Array.from({ length: taken }, (_, i) => i)
  return Result.succeed({
    windows: indices.map((i) => stream.slice(i * window, (i + 1) * window)),
    window,
    available,
    ...(samples === undefined ? {} : { requested: samples }),
    tokens: stream.length,
  })
}
