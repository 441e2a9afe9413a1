import { assert, describe, it } from "@effect/vitest"
import { referenceReader, referencesIn } from "./references.ts"
import { parseStepId } from "./step_id.ts"

describe("parseStepId", () => {
  it("reads the fields of a sweep", () => {
    assert.deepStrictEqual(parseStepId("pruned[sparsity=0.5,method=a,b]"), {
      base: "pruned",
      variables: [
        ["sparsity", "0.5"],
        ["method", "a,b"],
      ],
    })
  })

  it("takes other ids as they are", () => {
    for (const id of ["model", "a[]", "[x=1]", "a[b"]) {
      assert.deepStrictEqual(parseStepId(id), { base: id, variables: [] })
    }
  })
})

describe("references", () => {
  const read = referenceReader(["model", "m[s=0.5]", "m[s=0.7]", "text"])

  it("name a step, one of its outputs, or one combination", () => {
    assert.deepStrictEqual(read("$model"), ["model"])
    assert.deepStrictEqual(read("$model.metrics"), ["model"])
    assert.deepStrictEqual(read("$m[s=0.5]"), ["m[s=0.5]"])
    assert.deepStrictEqual(read("$m[s=0.5].model"), ["m[s=0.5]"])
  })

  it("name all combinations of a sweep by its base", () => {
    assert.deepStrictEqual(read("$m"), ["m[s=0.5]", "m[s=0.7]"])
  })

  it("are nothing else", () => {
    for (const text of ["model", "$other", "$", "$model2", ""])
      assert.deepStrictEqual(read(text), [])
  })

  it("are found at any depth", () => {
    const configuration = { text: "$text", rows: { dense: "$model", more: ["$m[s=0.7]", 3, null] } }
    assert.deepStrictEqual(referencesIn(configuration, read), [
      { key: "text", step: "text" },
      { key: "rows.dense", step: "model" },
      { key: "rows.more.0", step: "m[s=0.7]" },
    ])
  })
})
