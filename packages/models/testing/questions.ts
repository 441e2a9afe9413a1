import type { ZeroShotItem } from "../zero_shot/items.ts"
import { makeWordTokenizer } from "../word_tokenizer.ts"

/** Eight words: with the special ones 11 tokens, as many as the tiny model has. */
export const questionWords = ["snow", "is", "white", "hot", "red", "so", "and", "the"] as const

export const questionTokenizer = makeWordTokenizer(questionWords)

/** A question of each kind, none of them longer than the tiny model's context. */
export const questions: ReadonlyArray<ZeroShotItem> = [
  {
    requests: ["white", "hot and red", "the"].map((choice) => ({
      context: "so the snow is",
      continuation: ` ${choice}`,
    })),
    gold: 0,
    characters: [5, 11, 3],
  },
  {
    requests: ["the snow", "the hot"].map((context) => ({
      context,
      continuation: " is white and",
    })),
    gold: 1,
  },
  { requests: [{ context: "snow is white and", continuation: " so" }] },
]
