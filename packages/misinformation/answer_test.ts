import { assert, describe, it } from "@effect/vitest"
import { answerText, readAnswer } from "./mod.ts"

describe("readAnswer", () => {
  // What the challenge's script makes of these outputs, by its notebook and Python's re.
  const cases: ReadonlyArray<
    readonly [output: string, label: string | undefined, explanation: string]
  > = [
    ["Prediction: True.\nExplanation: It is so.", "True", "It is so."],
    ["Prediction: fAlSe Explanation: No.", "False", "No."],
    ["Prediction: NEI", "NEI", ""],
    ["prediction: True", undefined, ""],
    ["Prediction:True", undefined, ""],
    ["Prediction:  True", undefined, ""],
    ["Prediction:\nTrue", "True", ""],
    ["Prediction: Mostly True.\nExplanation: Almost.", undefined, "Almost."],
    ["Prediction: [True]", undefined, ""],
    ["Prediction: Falsehood", undefined, ""],
    ["Prediction: True_", undefined, ""],
    ["The Prediction is False", undefined, ""],
    ["Prediction: Neither.\nExplanation: Both.", undefined, "Both."],
    ["Prediction: yes\nExplanation: plain", undefined, "plain"],
    ["Prediction: yes. Prediction: True", undefined, ""],
    ["Prediction: - Prediction: True", "True", ""],
    ["Explanation: first. Explanation: second.", undefined, "first. Explanation: second."],
    [
      "Explanation: One.\nTwo.\n\nThree. Prediction: False",
      "False",
      "One. Two.  Three. Prediction: False",
    ],
    ["explanation: no capital. Prediction: True", "True", ""],
    ["", undefined, ""],
  ]
  for (const [output, label, explanation] of cases) {
    it(`reads ${JSON.stringify(output)}`, () => {
      assert.deepEqual(readAnswer(output), { label, explanation })
    })
  }

  it("takes a word as Python does: letters and digits of every script", () => {
    assert.strictEqual(readAnswer("Prediction: Trueé").label, undefined)
    assert.strictEqual(readAnswer("Prediction: True２").label, undefined)
    assert.strictEqual(readAnswer("Prediction: True—surely").label, "True")
    // A combining mark is no part of a word in Python's re.
    assert.strictEqual(readAnswer("Prediction: True\u0301").label, "True")
  })

  it("does not stop at line ends that are none to Python's dot", () => {
    for (const end of ["\r", "\u2028", "\u2029", "\u0085"]) {
      assert.strictEqual(readAnswer(`Explanation: a${end}b true`).explanation, `a${end}b true`)
    }
  })
})

describe("answerText", () => {
  const prompt =
    "Human: \nTask: … Prediction: [True, or False, or NEI]\nExplanation: [Explain why]\n Claim: x \ncontextual information: y"

  it("is the same with the prompt before it and without", () => {
    const answer = "Prediction: NEI.\nExplanation: Nobody knows."
    assert.strictEqual(answerText(`${prompt}\n\nAssistant: ${answer}`), answerText(answer))
    assert.deepEqual(readAnswer(`${prompt}Assistant:\n${answer}`), readAnswer(answer))
  })

  it("ends at a second Assistant:, as the script's split does", () => {
    assert.strictEqual(answerText("Assistant: one Assistant: two"), "one")
  })

  it("is the whole output where there is no Assistant:", () => {
    assert.strictEqual(answerText(" a\nb "), "a b")
    assert.strictEqual(readAnswer(prompt).label, undefined)
  })
})
