import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { questionTokenizer } from "../testing/questions.ts"
import { fileBytes, makeByteLevelFile } from "../testing/tokenizer_json.ts"
import { decodeTokenizer } from "../tokenizer.ts"
import type { EncodeRequestOptions } from "./encode_request.ts"
import { encodeRequest } from "./encode_request.ts"

// Tokens: snow 3, is 4, white 5, hot 6, red 7.
const encode = (context: string, continuation: string, options?: Partial<EncodeRequestOptions>) => {
  const found = encodeRequest(
    questionTokenizer,
    { context, continuation },
    { contextLength: 8, ...options },
  )
  return found && { ...found, input: [...found.input], targets: [...found.targets] }
}

describe("encodeRequest", () => {
  it("reads all but the last token and predicts the continuation", () => {
    assert.deepStrictEqual(encode("snow is", " white hot"), {
      input: [1, 3, 4, 5],
      targets: [5, 6],
      truncated: false,
    })
    assert.deepStrictEqual(encode("snow is", " white", { begin: false })?.input, [3, 4])
  })

  it("cuts what is too long on the left, and never the continuation", () => {
    const cut = encode("snow is snow is", " white hot red", { contextLength: 4 })
    assert.deepStrictEqual(cut, { input: [3, 4, 5, 6], targets: [5, 6, 7], truncated: true })
    const full = encode("snow is", " white hot", { contextLength: 4 })
    assert.deepStrictEqual([full?.input, full?.truncated], [[1, 3, 4, 5], false])
  })

  it("does not score a continuation without tokens, or longer than the model can see", () => {
    assert.isUndefined(encode("snow", " "))
    assert.isUndefined(encode("snow", " is white hot", { contextLength: 2 }))
    assert.isDefined(encode("snow", " is white hot", { contextLength: 3 }))
  })

  it("puts the begin token for an empty context", () => {
    for (const begin of [true, false]) {
      const found = encode("", "snow is", { begin })
      assert.deepStrictEqual(
        [found?.input, found?.targets],
        [
          [1, 3],
          [3, 4],
        ],
      )
    }
  })

  it("moves the spaces at the end of a context into the continuation", () => {
    const bytePairs = Result.getOrThrow(
      decodeTokenizer(fileBytes(makeByteLevelFile(["Ġ b", "a Ġ"])), "t"),
    )
    const [spaceB, end] = [256, 258]
    const targets = (context: string, continuation: string) => {
      const request = { context, continuation }
      return [...(encodeRequest(bytePairs, request, { contextLength: 8 })?.targets ?? [])]
    }
    assert.deepStrictEqual(targets("a ", "b"), [spaceB])
    assert.deepStrictEqual(targets("a", " b"), [spaceB])
    // Without a begin token the end token stands before an empty context.
    const found = encodeRequest(
      bytePairs,
      { context: " ", continuation: "b" },
      { contextLength: 8 },
    )
    assert.deepStrictEqual(
      [[...(found?.input ?? [])], [...(found?.targets ?? [])]],
      [[end], [spaceB]],
    )
    const { end: _, ...without } = bytePairs
    const empty = { context: "", continuation: "b" }
    assert.throws(() => encodeRequest(without, empty, { contextLength: 8 }), RangeError, "begin")
  })
})
