import { assert, describe, it } from "@effect/vitest"
import { Layers } from "@espalier/nn"
import { rotaryFrequencies, rotaryTables } from "./llama_rotary.ts"

const llama3 = {
  kind: "llama3",
  factor: 8,
  lowFrequencyFactor: 1,
  highFrequencyFactor: 4,
  originalContextLength: 8192,
} as const

describe("rotary embeddings", () => {
  it("are those of the layer library where nothing is scaled", () => {
    const tables = rotaryTables(7, rotaryFrequencies(8, 500))
    assert.deepStrictEqual(tables, Layers.rotaryTables(7, 8, 500))
  })

  it("linear scaling puts positions closer together", () => {
    const scaled = rotaryTables(9, rotaryFrequencies(4, 100, { kind: "linear", factor: 2 }))
    const plain = rotaryTables(5, rotaryFrequencies(4, 100))
    for (let i = 0; i < 4; i++) {
      assert.closeTo(scaled.cosine.data[8 * 4 + i], plain.cosine.data[4 * 4 + i], 1e-12)
      assert.closeTo(scaled.sine.data[8 * 4 + i], plain.sine.data[4 * 4 + i], 1e-12)
    }
  })

  it("Llama 3.1 keeps short wavelengths, divides long ones, and is continuous between", () => {
    const plain = rotaryFrequencies(128, 500000)
    const scaled = rotaryFrequencies(128, 500000, llama3)
    plain.forEach((frequency, i) => {
      const wavelength = (2 * Math.PI) / frequency
      const ratio = frequency / scaled[i]
      if (wavelength < 8192 / 4) assert.strictEqual(ratio, 1)
      else if (wavelength > 8192) assert.closeTo(ratio, 8, 1e-12)
      else assert.isTrue(ratio >= 1 && ratio <= 8, `${i}: ${ratio}`)
      if (i > 0) assert.isBelow(scaled[i], scaled[i - 1])
    })
    // Half-way between the two borders a frequency keeps (1 + 1/8) / 2 of itself.
    const middle = (2 * Math.PI * 2.5) / 8192
    const theta = middle ** -2
    assert.closeTo(rotaryFrequencies(4, theta, llama3)[1], (middle * 9) / 16, 1e-12)
  })
})
