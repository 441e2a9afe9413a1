import { assert, describe, it } from "@effect/vitest"
import { withoutData } from "@espalier/testing"
import { formatOutput, scoreOutputs } from "./mod.ts"
import { dataLines } from "./testing/data.ts"

const gold = [
  "Prediction: True.\nExplanation: a b c d",
  "Prediction: False.\nExplanation: e f g h",
  "Prediction: NEI.\nExplanation: i j k l",
  "Prediction: False.\nExplanation: m n o p",
]

describe("scoreOutputs", () => {
  it("averages over all items, those without an explanation included", () => {
    const outputs = [
      "Prediction: True\nExplanation: a b c d",
      "Prediction: True\nExplanation: e f",
      "Prediction: NEI",
      "No idea",
    ]
    const score = scoreOutputs(outputs.map((output, i) => [output, gold[i]]))
    assert.strictEqual(score.microF1, 0.5)
    assert.strictEqual(score.accuracy, 0.5)
    // 1, 2·1·½ / 1½ = 2/3, 0 and 0.
    assert.closeTo(score.rouge1, (1 + 2 / 3) / 4, 1e-12)
    // One pair of one, three pairs wanted: 2·1·⅓ / 1⅓ = ½.
    assert.closeTo(score.rouge2, (1 + 1 / 2) / 4, 1e-12)
    assert.closeTo(score.rougeL, score.rouge1, 1e-12)
    assert.closeTo(score.overall, (score.microF1 + score.rouge1) / 2, 1e-12)
    assert.strictEqual(score.items, 4)
    assert.strictEqual(score.unparsable, 1)
  })

  it("is the same of bare answers and of answers after the prompt", () => {
    const bare = gold.map((each) => [each.replace("NEI", "True"), each] as const)
    const echoed = bare.map(
      ([output, right]) =>
        [`Human: Prediction: [True]\nExplanation: [x] Assistant: ${output}`, right] as const,
    )
    assert.deepEqual(scoreOutputs(echoed), scoreOutputs(bare))
  })

  it("is 0 of nothing", () => {
    assert.strictEqual(scoreOutputs([]).overall, 0)
  })

  it("gives the right answers of the challenge a perfect score", (context) => {
    if (withoutData !== undefined) return context.skip(withoutData)
    const outputs = dataLines("FMD_val").map((line) => String(JSON.parse(line).output))
    const { overall, rougeL, items, unparsable } = scoreOutputs(outputs.map((each) => [each, each]))
    assert.deepEqual([overall, rougeL, items, unparsable], [1, 1, 100, 0])
  })
})

describe("formatOutput", () => {
  it("keeps the words that part outputs out of an explanation", () => {
    const output = formatOutput("True", "The Assistant: said so.")
    const { rouge1 } = scoreOutputs([
      [output, "Prediction: True.\nExplanation: The Assistant said so."],
    ])
    assert.strictEqual(rouge1, 1)
  })
})
