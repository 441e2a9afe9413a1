import { assert, describe, it } from "@effect/vitest"
import { countSentiments, parseNews } from "./news.ts"

describe("parseNews", () => {
  it("takes the label from the end, however it is spaced and spelt", () => {
    for (const [item, sentiment] of [
      ["up (not much). (sentiment:positive)", "positive"],
      ["up (not much). (Sentiment: NEGATIVE) ", "negative"],
      ["up (not much).( sentiment : neutral )", "neutral"],
    ] as const) {
      assert.deepStrictEqual(parseNews(item), { text: "up (not much).", sentiment })
    }
  })

  it("keeps items whose label is missing or misspelt, without one", () => {
    assert.deepStrictEqual(parseNews("up"), { text: "up" })
    assert.deepStrictEqual(parseNews("up (sentiment: postive)"), { text: "up" })
    assert.deepStrictEqual(parseNews("(sentiment: positive) was said"), {
      text: "(sentiment: positive) was said",
    })
  })

  it("reads an item's own date, before or after the label, and items that are objects", () => {
    const item = { text: "up", sentiment: "positive", date: "2023-05-01" } as const
    assert.deepStrictEqual(parseNews("up (date: 2023-05-01) (sentiment: positive)"), item)
    assert.deepStrictEqual(
      parseNews("up (sentiment:positive) (published: 2023-05-01T09:00Z)"),
      item,
    )
    assert.deepStrictEqual(
      parseNews({ title: "up (sentiment: positive)", date: "2023-05-01" }),
      item,
    )
    for (const written of ["2023-05-01: up", "[2023-05-01] up", "2023-05-01T09:30:00Z | up"]) {
      assert.deepStrictEqual(parseNews(`${written} (sentiment: positive)`), item, written)
    }
    const deadline = "2023-05-01 is the last day to vote"
    assert.deepStrictEqual(parseNews(deadline), { text: deadline })
    assert.isUndefined(parseNews(3))
    assert.isUndefined(parseNews({ body: "up" }))
    assert.isUndefined(parseNews(["up"]))
  })

  it("counts", () => {
    const news = ["a (sentiment:positive)", "b (sentiment:positive)", "c", "d (sentiment:neutral)"]
    assert.deepStrictEqual(countSentiments(news.map((item) => parseNews(item)!)), {
      positive: 2,
      negative: 0,
      neutral: 1,
      unlabelled: 1,
    })
  })
})
