import { assert, describe, it } from "@effect/vitest"
import { makeStopTexts } from "./stop_texts.ts"

/** What is given out of a text that comes in pieces of one length. */
const givenOut = (text: string, size: number, stops: ReadonlyArray<string>) => {
  const watch = makeStopTexts(stops)
  let given = ""
  for (let start = 0; start < text.length; start += size) {
    given += watch.push(text.slice(start, start + size))
  }
  return given + watch.flush()
}

describe("makeStopTexts", () => {
  it("ends at the first stop text, however the text comes", () => {
    for (const size of [1, 2, 3, 7, 100]) {
      assert.strictEqual(givenOut("Fine.\nUser: and you?", size, ["\nUser:", "END"]), "Fine.")
      assert.strictEqual(givenOut("one END two\nUser:", size, ["\nUser:", "END"]), "one ")
      assert.strictEqual(givenOut("aab", size, ["ab"]), "a")
    }
  })

  it("holds back no more than what may become a stop text, and gives it out in the end", () => {
    const watch = makeStopTexts(["\nUser:"])
    assert.strictEqual(watch.push("Hello\nU"), "Hello")
    assert.strictEqual(watch.push("nder"), "\nUnder")
    assert.isFalse(watch.stopped())
    assert.strictEqual(watch.flush(), "")
    assert.strictEqual(givenOut("Hello\nUse", 4, ["\nUser:"]), "Hello\nUse")
  })

  it("lets everything through where there is none", () => {
    assert.strictEqual(givenOut("text", 2, []), "text")
    assert.strictEqual(givenOut("text", 2, [""]), "text")
  })
})
