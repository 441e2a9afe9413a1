import { assert, describe, it } from "@effect/vitest"
import { Ajv2020 } from "ajv/dist/2020.js"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parse } from "yaml"
import { pipelineJsonSchema } from "./json_schema.ts"
import { steps } from "./steps/mod.ts"
import { templates } from "./templates.ts"

const validate = new Ajv2020({ allErrors: true, strict: false }).compile(pipelineJsonSchema(steps))
const pipelines = fileURLToPath(new URL("../../pipelines", import.meta.url))

describe("pipelineJsonSchema", () => {
  const files = readdirSync(pipelines).filter((name) => name.endsWith(".yaml"))
  const documents = [
    ...files.map((name) => [name, readFileSync(`${pipelines}/${name}`, "utf8")] as const),
    ...Object.entries(templates).map(([name, { text }]) => [`template ${name}`, text] as const),
  ]
  for (const [name, text] of documents) {
    it(`takes ${name}`, () => {
      assert.isTrue(validate(parse(text)), JSON.stringify(validate.errors?.slice(0, 3)))
    })
  }

  it("refuses what the program refuses", () => {
    const load = { use: "model/load", path: "m" }
    const refused: ReadonlyArray<readonly [unknown, RegExp]> = [
      [{ steps: { a: load } }, /name/],
      [{ name: "p", steps: {} }, /fewer than 1/],
      [{ name: "p", steps: { a: load }, sead: 1 }, /additional/],
      [{ name: "p", steps: { "1": load } }, /property name/],
      [{ name: "p", steps: { a: { use: "model/lod" } } }, /allowed values/],
      [{ name: "p", steps: { a: { ...load, pth: "m" } } }, /additional/],
      [{ name: "p", steps: { a: { use: "model/load" } } }, /'path'/],
      [
        { name: "p", steps: { a: { use: "quantize/rtn", model: "$m", bits: 5 } } },
        /allowed values/,
      ],
      [{ name: "p", steps: { a: { use: "quantize/rtn", model: "m", bits: 4 } } }, /pattern/],
      [{ name: "p", steps: { a: { use: "quantize/rtn", bits: 4 } } }, /'model'/],
    ]
    for (const [document, says] of refused) {
      assert.isFalse(validate(document), JSON.stringify(document))
      assert.match(JSON.stringify(validate.errors), says)
    }
  })
})
