import { assert, describe, it } from "@effect/vitest"
import { shuffled, uniformNumbers } from "@espalier/evaluation"
import { withoutData } from "@espalier/testing"
import { splitSentences } from "./mod.ts"
import { segmentsOf } from "./segments.ts"
import { dataItems } from "./testing/data.ts"

const sentencesOf = (text: string) =>
  splitSentences(text).map(({ start, end }) => text.slice(start, end))

describe("splitSentences", () => {
  it("ends sentences at their marks and at gaps", () => {
    assert.deepEqual(sentencesOf('He said: "No." She left!  Why? …'), [
      'He said: "No."',
      "She left!",
      "Why?",
      "…",
    ])
    assert.deepEqual(sentencesOf("Heading\nText goes on  Another one"), [
      "Heading",
      "Text goes on",
      "Another one",
    ])
    assert.deepEqual(sentencesOf("It fell.We asked why.)Nobody knew."), [
      "It fell.",
      "We asked why.)",
      "Nobody knew.",
    ])
  })

  it("does not end them at abbreviations, initials and numbers", () => {
    for (const text of [
      "Mr. Smith of the U.S. Treasury paid $1.5 million to John F. Kennedy on Jan. 3.",
      "See example.com or No. 7, e.g. the first.",
    ]) {
      assert.deepEqual(sentencesOf(text), [text])
    }
  })

  it("has no sentence in nothing", () => {
    assert.deepEqual(splitSentences(" \n "), [])
  })

  it("gives spans in order that leave white space out and nothing else", () => {
    const pieces = ["One two.", "Three?", " ", "  ", "Mr. X", '"Yes"', ".", "é…", "\n", "(no)"]
    for (let seed = 0; seed < 200; seed++) {
      const next = uniformNumbers(seed)
      const text = shuffled(pieces, seed)
        .slice(0, 1 + Math.floor(next() * 9))
        .join(next() < 0.5 ? " " : "")
      let rest = text
      let last = 0
      for (const { start, end } of splitSentences(text)) {
        assert.isAtLeast(start, last)
        assert.isAbove(end, start)
        rest = rest.replace(text.slice(start, end), "")
        last = end
      }
      assert.strictEqual(rest.trim(), "")
    }
  })
})

describe("segmentsOf", () => {
  const text =
    "Wombats led animals to their burrows, according to this rumor: rumor Reports came from Australia. " +
    "Nobody saw it, said the Associated Press this week. Associated Press While wombats dig, they do not lead."

  it("takes out the words of links that a page repeats, and says where the links stood", () => {
    const { spans, tails } = segmentsOf(text)
    assert.deepEqual(
      tails.map(({ start, end }) => text.slice(start, end)),
      ["rumor", "Associated Press"],
    )
    assert.deepEqual(
      tails.map(({ source }) => text.slice(source, source + 5)),
      ["rumor", "Assoc"],
    )
    assert.deepEqual(
      spans.map(({ start, end }) => text.slice(start, end)),
      [
        "Wombats led animals to their burrows, according to this rumor:",
        "Reports came from Australia.",
        "Nobody saw it, said the Associated Press this week.",
        "While wombats dig, they do not lead.",
      ],
    )
  })

  it("takes a sentence for no link because it begins as another does", () => {
    const plain = "Donald Trump spoke on Monday. Donald Trump left on Tuesday. He spoke. He left."
    assert.deepEqual(segmentsOf(plain).tails, [])
  })

  it("leaves them in where traces are not looked at", () => {
    assert.isTrue(
      segmentsOf(text, { linkTraces: false }).spans.some(({ start }) =>
        text.startsWith("Associated Press While", start),
      ),
    )
  })

  it("cuts every context of the challenge into spans in order", (context) => {
    if (withoutData !== undefined) return context.skip(withoutData)
    for (const item of dataItems()) {
      const { spans } = segmentsOf(item.context)
      assert.isNotEmpty(spans)
      for (const [i, { start, end }] of spans.entries()) {
        assert.isAbove(end, start)
        assert.isAtLeast(start, spans[i - 1]?.end ?? 0)
      }
    }
  })
})
