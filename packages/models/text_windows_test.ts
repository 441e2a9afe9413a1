import { assert, describe, it } from "@effect/vitest"
import { hasData, needsData, readData, readDocuments } from "@espalier/testing"
import { Result, Schema } from "effect"
import { cutWindows, tokenStream } from "./text_windows.ts"
import { decodeTokenizer, encodeDocument } from "./tokenizer.ts"
import { makeWordTokenizer } from "./word_tokenizer.ts"

const tokenizer = makeWordTokenizer(["a", "b", "c", "-"])
const stream = (length: number) => Int32Array.from({ length }, (_, i) => i)
const cut = (...input: Parameters<typeof cutWindows>) => Result.getOrThrow(cutWindows(...input))

const Count = (minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum }))

describe("token streams", () => {
  it("put the begin token before every document", () => {
    assert.deepStrictEqual([...tokenStream(tokenizer, ["a b", "", "c"])], [1, 3, 4, 1, 5])
  })

  it("joined by a text are encoded once", () => {
    assert.deepStrictEqual([...tokenStream(tokenizer, ["a b", "c"], " - ")], [1, 3, 4, 6, 5])
  })

  it("of nothing are empty", () => {
    assert.strictEqual(tokenStream(tokenizer, []).length, 0)
    assert.strictEqual(tokenStream(tokenizer, [""], "\n\n").length, 0)
  })

  it("work without a begin token", () => {
    const { begin: _, ...bare } = tokenizer
    assert.deepStrictEqual([...tokenStream(bare, ["a b", "c"])], [3, 4, 5])
  })
})

describe("windows", () => {
  it.prop(
    "are consecutive, and only the tail is dropped",
    [Count(1, 200), Count(1, 20)],
    ([length, window]) => {
      if (window > length) return
      const { windows, available, tokens } = cut(stream(length), { window })
      assert.strictEqual(windows.length, available)
      assert.strictEqual(tokens, length)
      assert.deepStrictEqual(
        windows.flatMap((each) => [...each]),
        [...stream(length - (length % window))],
      )
    },
  )

  it.prop(
    "chosen at random are distinct, in order and fixed by the seed",
    [Count(1, 30), Count(1, 40), Schema.Int],
    ([count, samples, seed]) => {
      const options = { window: 3, samples, sampling: "random", seed } as const
      const { windows, available, requested } = cut(stream(3 * count), options)
      const starts = windows.map((each) => each[0] / 3)
      assert.strictEqual(windows.length, Math.min(count, samples))
      assert.deepStrictEqual([available, requested], [count, samples])
      assert.deepStrictEqual(
        starts,
        [...new Set(starts)].toSorted((a, b) => a - b),
      )
      assert.deepStrictEqual(cut(stream(3 * count), options).windows, windows)
    },
  )

  it("chosen at random are equally likely", () => {
    const counts = new Map<number, number>()
    for (let seed = 0; seed < 3000; seed++) {
      for (const each of cut(stream(10), { window: 1, samples: 3, sampling: "random", seed })
        .windows) {
        counts.set(each[0], (counts.get(each[0]) ?? 0) + 1)
      }
    }
    // 900 expected each, with a standard deviation of 25.
    for (let i = 0; i < 10; i++) assert.closeTo(counts.get(i) ?? 0, 900, 125)
  })

  it("are the first ones by default, whatever the seed", () => {
    const { windows } = cut(stream(10), { window: 2, samples: 2, seed: 5 })
    assert.deepStrictEqual(
      windows.map((each) => [...each]),
      [
        [0, 1],
        [2, 3],
      ],
    )
  })

  it("that are too few are reported", () => {
    const { windows, available, requested } = cut(stream(10), { window: 4, samples: 64 })
    assert.deepStrictEqual([windows.length, available, requested], [2, 2, 64])
  })

  it("that do not exist are an error", () => {
    for (const [length, hint] of [
      [0, /empty/],
      [3, /at most 3/],
    ] as const) {
      const result = cutWindows(stream(length), { window: 4 })
      if (Result.isSuccess(result)) return assert.fail("accepted")
      assert.strictEqual(result.failure._tag, "TextTooShort")
      assert.match(result.failure.message, hint)
    }
  })

  it("longer than the context are an error", () => {
    const result = cutWindows(stream(2000), { window: 513, contextLength: 512 })
    if (Result.isSuccess(result)) return assert.fail("accepted")
    assert.strictEqual(result.failure._tag, "WindowTooLong")
    assert.match(result.failure.message, /513 tokens is longer than the model's context of 512/)
    assert.isTrue(Result.isSuccess(cutWindows(stream(2000), { window: 512, contextLength: 512 })))
  })

  it("of no size are a mistake in the program", () => {
    assert.throws(() => cutWindows(stream(10), { window: 0 }), RangeError)
    assert.throws(() => cutWindows(stream(10), { window: 2, samples: 0.5 }), RangeError)
  })

  it.skipIf(!hasData)(`of the pruning sheet: documents 1–64 and 65–122${needsData}`, () => {
    const bytes = readData("language-models/tok512.bin")
    const real = Result.getOrThrow(decodeTokenizer(bytes, "tok512.bin"))
    const documents = readDocuments("text/tinystories_eval_norm.jsonl")
    const calibration = cut(tokenStream(real, documents.slice(0, 64)), { window: 256, samples: 64 })
    assert.deepStrictEqual(
      [calibration.windows.length, calibration.available, calibration.tokens],
      [64, 101, 26_069],
    )
    const evaluation = cut(tokenStream(real, documents.slice(64)), { window: 256 })
    assert.deepStrictEqual([evaluation.windows.length, evaluation.tokens], [129, 33_069])
    assert.deepStrictEqual(
      [...evaluation.windows[0]],
      [...encodeDocument(real, documents[64]), ...encodeDocument(real, documents[65])].slice(
        0,
        256,
      ),
    )
  })
})
