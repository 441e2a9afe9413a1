import { assert, describe, it } from "@effect/vitest"
import { dataFolder, withoutData } from "@espalier/testing"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { makeFolder } from "../testing/espalier.ts"
import { makeTinyModel, writeModel } from "../testing/tiny_model.ts"

const lily =
  "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."

/** `espalier generate` in a folder of its own. */
const generate = async (...args: ReadonlyArray<string>) => {
  const place = makeFolder("real")
  try {
    writeModel(place.at("model"), makeTinyModel())
    return await place.espalier(["generate", "--device", "wasm", ...args])
  } finally {
    place.remove()
  }
}

describe.concurrent("espalier generate", () => {
  it("samples the same text from the same seed, and ends where the context is full", async () => {
    const sampled = ["--model", "model", "--prompt", "Mia", "--temperature", "1", "--top-p", "0.9"]
    const [first, again, other] = await Promise.all(
      ["1", "1", "2"].map((seed) => generate(...sampled, "--tokens", "20", "--seed", seed)),
    )
    assert.strictEqual(first.code, 0, first.error)
    assert.match(first.out, /^Mia .*\n$/)
    assert.strictEqual(again.out, first.out)
    assert.notStrictEqual(other.out, first.out)
    const full = await generate("--model", "model", "--prompt", "Mia", "--max-context", "8")
    assert.match(full.error, /^[1-8] tokens in \d+\.\d\d s, \d+ a second\n$/)
  })

  it("tells the story of stories260K, from the data folder, in float and in int8", async (context) => {
    if (withoutData !== undefined) return context.skip(withoutData)
    const story = ["--data", dataFolder, "--prompt", "Once upon a time", "--tokens", "60"]
    const tokenizer = ["--tokenizer", "data:language-models/tok512.bin"]
    const from = (name: string) => [
      "--model",
      `data:language-models/${name}`,
      ...tokenizer,
      ...story,
    ]
    assert.isTrue(existsSync(join(dataFolder, "language-models/stories260K-q8.bin")))
    const [float, short, int8] = await Promise.all([
      generate(...from("stories260K.bin")),
      generate(...from("stories260K.bin"), "--max-context", "32"),
      generate(...from("stories260K-q8.bin")),
    ])
    assert.strictEqual(float.code, 0, float.error)
    assert.isTrue(float.out.startsWith(lily), float.out)
    // The cache is shorter and the text is the same as far as it goes.
    assert.isTrue(float.out.startsWith(short.out.trimEnd()), short.out)
    assert.isBelow(short.out.length, float.out.length)
    assert.isTrue(int8.out.startsWith("Once upon a time, there was a little"), int8.out)
  })
})
