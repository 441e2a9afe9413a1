import { assert, describe, it } from "vitest"
import { encodeOnnx } from "./onnx_model.ts"

describe("encodeOnnx", () => {
  it("writes the fields of a model in order", () => {
    const bytes = encodeOnnx([[2, 300]], [{ operator: "Exp", inputs: ["x0"] }])
    const text = new TextDecoder("latin1").decode(bytes)
    // ir_version 9; graph; …; opset_import { domain "", version 20 }.
    assert.deepStrictEqual(Array.from(bytes.subarray(0, 3)), [8, 9, 58])
    assert.deepStrictEqual(Array.from(bytes.subarray(-6)), [66, 4, 10, 0, 16, 20])
    for (const word of ["x0", "Exp", "bench"]) assert.include(text, word)
    // The extent 300 as a varint.
    assert.include(text, "\x08\xac\x02")
  })
})
