import { assert, describe, it } from "@effect/vitest"
import { classificationReport } from "./mod.ts"

// scikit-learn's example of classification_report: y_true = [0, 1, 2, 2, 2], y_pred = [0, 0, 2, 2, 1].
const labels = ["0", "1", "2"] as const
const truth = ["0", "1", "2", "2", "2"] as const
const guesses = ["0", "0", "2", "2", "1"] as const

describe("classificationReport", () => {
  const report = classificationReport(labels, truth, guesses)

  it("agrees with scikit-learn's documented example", () => {
    const rows = report.labels.map(({ precision, recall, f1, support }) =>
      [precision, recall, f1, support].map((value) => value.toFixed(2)),
    )
    assert.deepEqual(rows, [
      ["0.50", "1.00", "0.67", "1.00"],
      ["0.00", "0.00", "0.00", "1.00"],
      ["1.00", "0.67", "0.80", "3.00"],
    ])
    assert.strictEqual(report.accuracy, 0.6)
    assert.strictEqual(report.macroF1.toFixed(2), "0.49")
    assert.deepEqual(report.confusion, [
      [1, 0, 0, 0],
      [1, 0, 0, 0],
      [0, 1, 2, 0],
    ])
  })

  it("has a micro F1 that is the accuracy where every item has a guess", () => {
    assert.closeTo(report.microF1, report.accuracy, 1e-15)
  })

  it("counts a guess that is no label as wrong, in a column of its own", () => {
    const { accuracy, microF1, confusion } = classificationReport(
      labels,
      ["0", "1"],
      ["0", undefined],
    )
    assert.strictEqual(accuracy, 0.5)
    assert.closeTo(microF1, 2 / 3, 1e-15)
    assert.strictEqual(confusion[1][3], 1)
  })

  it("leaves labels that never occur out of the macro average", () => {
    assert.strictEqual(classificationReport(labels, ["0", "1"], ["0", "1"]).macroF1, 1)
  })

  it("is 0 of nothing, and refuses a missing guess", () => {
    assert.strictEqual(classificationReport(labels, [], []).accuracy, 0)
    assert.throws(() => classificationReport(labels, truth, ["0"]), RangeError)
  })
})
