import { assert, describe, it, layer } from "@effect/vitest"
import { classificationReport, mean } from "@espalier/evaluation"
import { layer as wasm } from "@espalier/wasm"
import { withoutData } from "@espalier/testing"
import { Effect } from "effect"
import { fitTemperature, probabilitiesOf } from "./classifier.ts"
import { chooseSentences } from "./explainer.ts"
import {
  crossValidate,
  decodeDetector,
  detect,
  encodeDetector,
  formatOutput,
  labels,
  scoreOutputs,
  trainDetector,
} from "./mod.ts"
import { dataItems } from "./testing/data.ts"
import { tinyItems } from "./testing/tiny_items.ts"

const quick = { innerFolds: 0, classifierSteps: 60, explainerSteps: 40, hidden: 8 }

layer(wasm())("a detector", (it) => {
  it.effect("learns to decide and to explain", () =>
    Effect.gen(function* () {
      const detector = yield* trainDetector(tinyItems(90), quick)
      const items = tinyItems(30, 1)
      const verdicts = items.map((item) => detect(detector, item))
      const right = verdicts.filter(({ label }, i) => label === items[i].label).length
      assert.isAtLeast(right, 28)
      const found = verdicts.filter(({ explanation }, i) =>
        explanation.includes(items[i].explanation),
      )
      assert.isAtLeast(found.length, 28)
      for (const [i, { evidence, explanation, probabilities }] of verdicts.entries()) {
        const { context } = items[i]
        const cited = evidence.map(({ start, end }) => context.slice(start, end))
        assert.strictEqual(cited.join(" "), explanation)
        assert.deepEqual(
          evidence,
          evidence.toSorted((a, b) => a.start - b.start),
        )
        assert.closeTo(
          probabilities.reduce((sum, p) => sum + p, 0),
          1,
          1e-9,
        )
      }
    }),
  )

  it.effect("keeps to a budget of words", () =>
    Effect.gen(function* () {
      const detector = yield* trainDetector(tinyItems(30), { ...quick, explainerSteps: 2 })
      for (const item of tinyItems(12, 2)) {
        for (const budget of [1, 8, 15, 100]) {
          const { explanation, evidence } = detect(detector, item, budget)
          const words = explanation.split(/\s+/).length
          assert.isTrue(words <= budget || evidence.length === 1, `${words} of ${budget}`)
        }
      }
    }),
  )

  it.effect("is the same for the same seed, and after its files were written and read", () =>
    Effect.gen(function* () {
      const items = tinyItems(30)
      const detector = yield* trainDetector(items, { ...quick, innerFolds: 2 })
      const again = yield* trainDetector(items, { ...quick, innerFolds: 2 })
      assert.deepEqual(encodeDetector(again), encodeDetector(detector))
      const read = yield* decodeDetector(encodeDetector(detector))
      for (const item of tinyItems(5, 3)) {
        assert.deepEqual(detect(read, item), detect(detector, item))
      }
    }),
  )

  it.effect("refuses files that are none of a detector", () =>
    Effect.gen(function* () {
      const files = encodeDetector(
        yield* trainDetector(tinyItems(12), { ...quick, explainerSteps: 1 }),
      )
      const bytes = (text: string) => new TextEncoder().encode(text)
      const { "detector.json": settings, ...others } = files
      const earlier = new TextDecoder().decode(settings).replace('"version":2', '"version":1')
      const cases = [
        [others, "detector.json"],
        [{ ...files, "detector.json": bytes("{}") }, "detector.json"],
        [{ ...files, "detector.json": bytes(earlier) }, "detector.json"],
        [{ ...files, "vocabulary.json": bytes("[") }, "vocabulary.json"],
        [{ ...files, "parameters.bin": files["parameters.bin"].slice(9) }, "parameters.bin"],
        [
          { "detector.json": settings, "vocabulary.json": files["vocabulary.json"] },
          "parameters.bin",
        ],
      ] as const
      for (const [bad, file] of cases) {
        const error = yield* Effect.flip(decodeDetector(bad))
        assert.strictEqual(error.file, file)
        assert.isNotEmpty(error.hint)
      }
    }),
  )

  it.effect("needs items of two labels", () =>
    Effect.gen(function* () {
      const same = tinyItems(30).filter(({ label }) => label === "True")
      for (const items of [[], same, tinyItems(4)]) {
        const error = yield* Effect.flip(trainDetector(items))
        assert.strictEqual(error._tag, "TooFewItems")
      }
    }),
  )

  it.effect("explains a context of one word, of signs only, and one without letters", () =>
    Effect.gen(function* () {
      const detector = yield* trainDetector(tinyItems(12), { ...quick, explainerSteps: 1 })
      for (const context of ["Word", "…", "!!! ???", "1 2 3", "東京で。"]) {
        const { explanation, label } = detect(detector, { claim: "x", context })
        assert.include(labels, label)
        assert.include(context, explanation)
      }
    }),
  )
})

layer(wasm())("crossValidate", (it) => {
  it.effect("judges every item by a detector that has not seen it", () =>
    Effect.gen(function* () {
      const items = tinyItems(45)
      // A duplicate with another label: who had seen the one would answer the other wrong.
      const twins = items
        .slice(0, 9)
        .map((item) => ({ ...item, context: `${item.context} Indeed.` }))
      const all = [...items, ...twins]
      const { verdicts, folds, duplicatePairs } = yield* crossValidate(all, { ...quick, folds: 3 })
      assert.strictEqual(verdicts.length, all.length)
      assert.isAtLeast(duplicatePairs, 9)
      for (const i of twins.keys()) assert.strictEqual(folds[i], folds[items.length + i])
      assert.deepEqual(new Set(folds), new Set([0, 1, 2]))
    }),
  )

  it.effect("learns something of the challenge from a fifth of its items", (context) =>
    Effect.gen(function* () {
      if (withoutData !== undefined) return context.skip(withoutData)
      const items = dataItems().filter((_, i) => i % 5 === 0)
      const { verdicts } = yield* crossValidate(items, {
        ...quick,
        folds: 2,
        classifierSteps: 80,
        explainerSteps: 120,
        hidden: 24,
      })
      const { rouge1 } = scoreOutputs(
        verdicts.map(({ label, explanation }, i) => [
          formatOutput(label, explanation),
          formatOutput(items[i].label, items[i].explanation),
        ]),
      )
      const truth = items.map(({ label }) => label)
      const { accuracy } = classificationReport(
        labels,
        truth,
        verdicts.map(({ label }) => label),
      )
      assert.isAbove(accuracy, mean(truth.map((label) => (label === "False" ? 1 : 0))))
      assert.isAbove(rouge1, 0.57)
    }),
  )
})

describe("chooseSentences", () => {
  it("takes what raises the expected F1 and leaves the rest", () => {
    assert.deepEqual(chooseSentences([0.9, 0.05, 0.8], [10, 10, 10], Infinity), [0, 2])
    assert.deepEqual(chooseSentences([0.9, 0.05, 0.8], [10, 10, 10], 10), [0])
    assert.deepEqual(chooseSentences([0.1, 0.05], [10, 10], 1), [0])
    assert.deepEqual(chooseSentences([], [], 5), [])
  })

  it("takes everything where everything is likely", () => {
    assert.deepEqual(chooseSentences([1, 1, 1], [3, 2, 1], Infinity), [0, 1, 2])
  })

  it("chooses a smaller sentence where the next one is too long", () => {
    assert.deepEqual(chooseSentences([0.9, 0.8, 0.7], [10, 50, 10], 20), [0, 2])
  })
})

describe("fitTemperature", () => {
  it("cools what is too shy and warms what is too sure", () => {
    const truth = Array.from({ length: 100 }, (_, i) => (i % 10 === 0 ? 1 : 0))
    // Right in nine of ten: the odds should be 9.
    const sure = truth.map(() => [Math.log(9) * 4, 0])
    const shy = truth.map(() => [Math.log(9) / 4, 0])
    assert.closeTo(fitTemperature(sure, truth), 4, 0.01)
    assert.closeTo(fitTemperature(shy, truth), 0.25, 0.01)
    assert.closeTo(probabilitiesOf(sure[0], 4)[0], 0.9, 1e-9)
  })
})
