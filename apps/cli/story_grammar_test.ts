import { makeWordTokenizer, splitWords, tokenStream } from "@espalier/models"
import { assert, describe, it } from "@effect/vitest"
import {
  nextTokenDistribution,
  storyEnd,
  storyEntropy,
  storyVocabulary,
  tellStories,
  windowLoss,
} from "./story_grammar.ts"

const stories = tellStories(1, 3000)
const sum = (values: Iterable<number>): number => {
  let total = 0
  for (const value of values) total += value
  return total
}

describe("the stories", () => {
  it("are fixed by the seed, and more of them begin with the same ones", () => {
    assert.deepStrictEqual(tellStories(1, 20), stories.slice(0, 20))
    assert.notDeepEqual(tellStories(2, 20), stories.slice(0, 20))
    assert.strictEqual(
      tellStories(0, 1)[0].text,
      "Long ago Mia went to the barn. She found a big ball. A big mouse took the ball. " +
        "Then she sang gladly with the mouse. Soon Mia and the mouse skipped home softly.",
    )
  })

  it("are short, of few words, and each word is one token", () => {
    assert.isAtLeast(storyVocabulary.length, 80)
    assert.isAtMost(storyVocabulary.length, 165)
    const seen = new Set<string>()
    for (const { text, words } of stories) {
      assert.deepStrictEqual(splitWords(text), words)
      assert.isAtLeast(words.length, 30)
      assert.isAtMost(words.length, 60)
      for (const word of words) seen.add(word)
    }
    assert.deepStrictEqual([...seen].sort(), storyVocabulary)
  })

  it("make a token stream in which the begin token stands for the end of the story before", () => {
    const tokenizer = makeWordTokenizer(storyVocabulary)
    const told = stories.slice(0, 5)
    const tokens = tokenStream(
      tokenizer,
      told.map(({ text }) => text),
    )
    const words = told.flatMap((story) => [storyEnd, ...story.words])
    const numbers = words.map((word) =>
      word === storyEnd ? tokenizer.begin : storyVocabulary.indexOf(word) + 3,
    )
    assert.deepStrictEqual([...tokens], numbers)
  })

  it("have the probability that the predictions of their words multiply to", () => {
    for (const { words, logProbability } of stories.slice(0, 40)) {
      const logs = [...words, storyEnd].map((word, i) =>
        Math.log(nextTokenDistribution(words.slice(0, i)).get(word) ?? 0),
      )
      assert.closeTo(sum(logs), logProbability, 1e-9)
    }
  })

  it("have predictions that add up to 1 at every prefix", () => {
    for (const { words } of stories.slice(0, 60)) {
      for (let length = 0; length <= words.length; length++) {
        const predicted = nextTokenDistribution(words.slice(0, length))
        assert.closeTo(sum(predicted.values()), 1, 1e-12)
      }
    }
    assert.strictEqual(nextTokenDistribution(["Lily"]).size, 0)
  })

  it("call people and things by what they were called before", () => {
    const prefix = splitWords("Long ago Mia went to the barn. She found a big ball. Tom took the")
    assert.deepStrictEqual([...nextTokenDistribution(prefix)], [["ball", 1]])
    const friend = nextTokenDistribution(
      splitWords("Long ago Mia went to the barn. She found a big ball."),
    )
    assert.isFalse(friend.has("Mia"))
    assert.closeTo(friend.get("Tom") ?? 0, 0.5 / 11, 1e-12)
    assert.closeTo(friend.get("A") ?? 0, 0.5, 1e-12)
  })
})

describe("the floor", () => {
  it("is the entropy that the stories show", () => {
    const nats = stories.map(({ logProbability }) => -logProbability)
    const tokens = stories.map(({ words }) => words.length + 1)
    const mean = (values: ReadonlyArray<number>) => sum(values) / values.length
    const error = (values: ReadonlyArray<number>) =>
      Math.sqrt(mean(values.map((x) => (x - mean(values)) ** 2)) / values.length)
    assert.closeTo(mean(nats), storyEntropy.natsPerText, 4 * error(nats))
    assert.closeTo(mean(tokens), storyEntropy.tokensPerText, 4 * error(tokens))
    assert.closeTo(sum(nats) / sum(tokens), storyEntropy.natsPerToken, 0.005)
  })

  it("lies between a perplexity of 2.5 and 4", () => {
    assert.isAbove(storyEntropy.perplexity, 2.5)
    assert.isBelow(storyEntropy.perplexity, 4)
  })

  it("of windows is above it by what a window does not show, and comes down with their length", () => {
    const stream = stories.flatMap(({ words }) => [storyEnd, ...words])
    const mean = (window: number) => {
      const losses = Array.from({ length: Math.floor(12_800 / window) }, (_, i) =>
        windowLoss(stream.slice(i * window, (i + 1) * window)),
      ).flat()
      return sum(losses) / losses.length
    }
    const [short, long] = [mean(64), mean(256)]
    assert.isAbove(long, storyEntropy.natsPerToken)
    assert.isAbove(short, long + 0.02)
    assert.isBelow(long, storyEntropy.natsPerToken + 0.05)
  })

  it("of a window that begins with a story is the story's", () => {
    for (const { words, logProbability } of stories.slice(0, 20)) {
      const losses = windowLoss([storyEnd, ...words, storyEnd])
      assert.strictEqual(losses.length, words.length + 1)
      assert.closeTo(sum(losses), -logProbability, 1e-9)
    }
    assert.strictEqual(windowLoss([storyEnd, "Lily"])[0], Number.POSITIVE_INFINITY)
    assert.closeTo(windowLoss(["Lily", "ran", "to", "the", "park"])[3], Math.log(8), 1e-9)
  })
})
