import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { Text } from "../artifacts/text.ts"
import { readDocuments, selectDocuments } from "./read_documents.ts"

const fails = (path: string, content: string, options: { field?: string; split?: string } = {}) => {
  const result = readDocuments(path, content, options)
  assert.isTrue(Result.isFailure(result))
  return Result.isFailure(result) ? `${result.failure.message}; ${result.failure.hint}` : ""
}
const reads = (path: string, content: string, options: { field?: string; split?: string } = {}) =>
  Result.getOrThrow(readDocuments(path, content, options))

describe("readDocuments", () => {
  it("lines of JSON: objects by field, texts without", () => {
    assert.deepStrictEqual(
      reads("a.jsonl", '{"text":"one"}\n\n{"text":"two"}\n', { field: "text" }),
      ["one", "two"],
    )
    assert.deepStrictEqual(reads("a.NDJSON", '"one"\r\n"two"'), ["one", "two"])
  })

  it("names the line and the keys that there are", () => {
    assert.match(fails("a.jsonl", '{"body":"x","id":1}'), /a\.jsonl:1: which field.*body, id/)
    assert.match(
      fails("a.jsonl", '{"text":"x"}\n{"body":"x","id":1}', { field: "text" }),
      /a\.jsonl:2: there is no field "text"; its keys are: body, id/,
    )
    assert.match(fails("a.jsonl", '{"text":3}', { field: "text" }), /is not a text/)
    assert.match(fails("a.jsonl", "{oops", { field: "text" }), /a\.jsonl:1: not JSON/)
    assert.match(fails("a.jsonl", "[1]", { field: "text" }), /expected an object with "text"/)
  })

  it("a JSON array, and nothing else in .json", () => {
    assert.deepStrictEqual(reads("a.json", '["one","two"]'), ["one", "two"])
    assert.match(fails("a.json", '{"a":1}'), /expected an array/)
    assert.match(fails("a.json", "["), /not JSON/)
  })

  it("a text file is one document, or several parted by a mark", () => {
    assert.deepStrictEqual(reads("a.txt", "\ufeffone\n\ntwo"), ["one\n\ntwo"])
    assert.deepStrictEqual(reads("a.txt", "one<|e|>two<|e|>\n", { split: "<|e|>" }), ["one", "two"])
  })
})

describe("selectDocuments", () => {
  it.effect("skips and takes; nothing left is an error that says why", () =>
    Effect.gen(function* () {
      const documents = ["a", "b", "c"]
      assert.deepStrictEqual(yield* selectDocuments("p", documents, { skip: 1, take: 1 }), ["b"])
      assert.deepStrictEqual(yield* selectDocuments("p", documents, { skip: 2, take: 9 }), ["c"])
      const past = yield* Effect.flip(selectDocuments("p", documents, { skip: 3 }))
      assert.match(past.message, /after skipping 3/)
      const empty = yield* Effect.flip(selectDocuments("p", [" "], { skip: 0 }))
      assert.match(empty.message, /empty/)
    }),
  )
})

describe("Text", () => {
  it.effect.prop("decodes what it encoded", [Schema.Array(Schema.String)], ([documents]) =>
    Effect.gen(function* () {
      const well = documents.map((document) => document.toWellFormed())
      const files = yield* Text.encode({ documents: well })
      assert.deepStrictEqual(yield* Text.decode(files), { documents: well })
    }),
  )
})
