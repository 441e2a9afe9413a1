import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { decodeManifest } from "./mod.ts"
import { fullManifest, runOf, smallManifest } from "./testing/manifests.ts"

const failureOf = (manifest: unknown) => {
  const result = decodeManifest(manifest, "runs/x/manifest.json")
  return Result.isFailure(result) ? result.failure : assert.fail("it was decoded")
}

describe("decodeManifest", () => {
  it("reads a text and the document in it alike", () => {
    const manifest = fullManifest()
    assert.deepStrictEqual(runOf(JSON.stringify(manifest)), runOf(manifest))
  })

  it("reads steps in their order with configuration and references", () => {
    const run = runOf(fullManifest())
    assert.deepStrictEqual(
      run.steps.slice(0, 4).map(({ id }) => id),
      ["text", "model", "dense", "pruned[sparsity=0.3]"],
    )
    const [, model, dense] = run.steps
    assert.deepStrictEqual(model.configuration, { text: "$text", steps: 400, learningRate: 0.004 })
    assert.deepStrictEqual(dense.references, [
      { key: "model", step: "model" },
      { key: "text", step: "text" },
    ])
  })

  it("does without everything that is optional, also where it is null", () => {
    const step = { use: "demo/greet", status: "done" }
    const nothing = { started: null, device: null, pipeline: null, packages: null, inputs: null }
    const run = runOf({ ...smallManifest(), ...nothing, steps: { a: { ...step, key: null } } })
    assert.deepStrictEqual(run, runOf({ ...smallManifest(), steps: { a: step } }))
    assert.strictEqual(run.steps[0].seconds, 0)
  })

  it("leaves alone what it does not know", () => {
    const steps = { greet: { use: "demo/greet", status: "waiting", energy: 5 } }
    assert.strictEqual(runOf({ ...smallManifest(), more: 1, steps }).steps[0].status, "waiting")
  })

  it("takes a step's peak memory from the step, else from its metrics", () => {
    const step = { use: "a", status: "done", metrics: { peakMemory: 5 } }
    const steps = { a: step, b: { ...step, peakMemory: 7 } }
    const run = runOf({ ...smallManifest(), steps })
    assert.deepStrictEqual(
      run.steps.map(({ peakMemory }) => peakMemory),
      [5, 7],
    )
  })

  it("says which field is wrong", () => {
    const steps = { model: { use: "model/train", status: 3 } }
    const failure = failureOf({ ...smallManifest(), steps })
    assert.strictEqual(failure._tag, "InvalidManifest")
    assert.strictEqual(failure.path, "runs/x/manifest.json")
    assert.strictEqual(failure.field, "steps.model.status")
    assert.include(failure.message, "runs/x/manifest.json: steps.model.status: expected string")
    assert.include(failure.hint, "manifest.json")
    const { run: _, ...rest } = smallManifest()
    assert.strictEqual(failureOf(rest).message, "runs/x/manifest.json: run: is missing")
  })

  it("refuses what is no document", () => {
    for (const text of ["", "{", "[]", "null", "3"]) assert.strictEqual(failureOf(text).field, "")
    assert.include(failureOf("{").message, "is not JSON")
  })
})
