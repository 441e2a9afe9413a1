import { assert, describe, it } from "@effect/vitest"
import { formatInstruction, formatOutput } from "@espalier/misinformation"
import type { RunRecord } from "@espalier/pipeline"
import { assertFriendly, makeFolder } from "../testing/espalier.ts"

const explanations = {
  True: "Records confirm that this is correct.",
  False: "The photograph is fake and the story a hoax.",
}
const nouns = ["bridge", "tax", "park", "debt", "school", "river", "shark"]

const lines = Array.from({ length: 24 }, (_, i) => {
  const label = i % 3 === 0 ? "True" : "False"
  const noun = nouns[(i * 5) % nouns.length]
  const context = `The ${noun} ${i * 31} was seen for ${i + 2} days. ${explanations[label]} Then ${i * 7} left.`
  const instruction = formatInstruction({
    claim: `Claim ${i * 17}: the ${noun} of ${i + 1900}`,
    context,
  })
  return JSON.stringify({
    instruction,
    input: "",
    output: formatOutput(label, explanations[label]),
  })
})

const pipeline = `
name: fmd
seed: 0
steps:
  items: { use: fmd/load, path: items.json }
  detector: { use: fmd/cross-validate, items: $items, folds: 2, innerFolds: 0, steps: 60 }
  again: { use: fmd/cross-validate, items: $items, folds: 2, innerFolds: 0, steps: 1, seed: 1 }
  lead: { use: fmd/baseline, items: $items, words: [5, 10] }
  oracle: { use: fmd/baseline, items: $items, explanation: oracle }
  figures: { use: fmd/evaluate, items: $items, verdicts: $detector, resamples: 200 }
  best: { use: fmd/evaluate, items: $items, verdicts: $oracle, resamples: 200 }
  above: { use: fmd/compare, items: $items, verdicts: [$detector], baseline: [$lead], resamples: 200 }
  itself: { use: fmd/compare, items: $items, verdicts: [$detector, $again], baseline: [$detector, $again], resamples: 200 }
`

describe("the steps of misinformation detection", () => {
  it("cross-validate, evaluate and compare", { timeout: 120_000 }, async () => {
    const place = makeFolder("real")
    try {
      place.write("items.json", lines.join("\n"))
      place.write("fmd.yaml", pipeline)
      const run = () => place.espalier(["run", "fmd.yaml", "--device", "wasm", "--json"])
      const { code, out, error } = await run()
      assert.strictEqual(code, 0, error)
      const { steps } = JSON.parse(out) as RunRecord
      const figure = (step: string, name: string) =>
        steps[step].metrics[name] as {
          readonly overall: number
          readonly low: number
          readonly high: number
        }
      assert.deepInclude(steps.items.metrics, { items: 24, True: 8, False: 16, NEI: 0 })
      assert.strictEqual(steps.lead.metrics.majority, "False")
      assert.isAbove(figure("figures", "microF1").overall, 0.8)
      assert.closeTo(figure("best", "rouge1").overall, 1, 1e-12)
      assert.closeTo(figure("best", "microF1").overall, 2 / 3, 1e-12)
      assert.isAbove(figure("above", "microF1").low, 0)
      for (const name of ["microF1", "macroF1", "rouge1", "overall"]) {
        const { low, high, overall } = figure("figures", name)
        assert.isTrue(low <= overall && overall <= high, name)
        assert.deepEqual(figure("itself", name), { overall: 0, low: 0, high: 0 })
      }
      const again = JSON.parse((await run()).out) as RunRecord
      assert.isTrue(Object.values(again.steps).every(({ status }) => status === "cached"))

      place.write(
        "items.json",
        lines.with(3, lines[3].replace("Prediction: True.", "Prediction: Tru.")).join("\n"),
      )
      const typo = await run()
      assert.strictEqual(typo.code, 2)
      assertFriendly(typo.error)
      assert.match(typo.error, /items\.json:4: "Tru" is no label/)
    } finally {
      place.remove()
    }
  })
})
