import { splitWords, TextTooShort } from "@espalier/models"
import { Step } from "@espalier/pipeline"
import { Effect, Schema } from "effect"
import { Text } from "../artifacts/text.ts"
import { storyEnd, storyEntropy, tellStories, windowLoss } from "../story_grammar.ts"

/** Streams of stories that have nothing in common, so that no part of a run sees another's text. */
const parts = ["training", "calibration", "evaluation"] as const

/** `text/stories`: text with a known entropy. */
export const textStories = Step.define({
  use: "text/stories",
  description: "Tells short stories from a grammar whose entropy is known exactly.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    stories: Schema.Int.check(Schema.isGreaterThan(0)).annotate({ description: "how many" }),
    part: Schema.Literals(parts).annotate({
      description: "which of three independent streams of stories",
    }),
  }),
  outputs: { text: Text },
  limited: ["stories"],
  usesSeed: true,
  run: ({ config, seed }) =>
    Effect.sync(() => {
      const stream = seed * parts.length + parts.indexOf(config.part)
      const stories = tellStories(stream, config.stories)
      return {
        outputs: { text: { documents: stories.map((story) => story.text) } },
        metrics: { documents: stories.length, floor: storyEntropy.perplexity },
      }
    }),
})

const mean = (values: ReadonlyArray<number>) =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** `text/story-floor`: what no model can beat. */
export const textStoryFloor = Step.define({
  use: "text/story-floor",
  description:
    "The perplexity that the best possible model has on windows of these stories, computed from their grammar.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    window: Schema.Int.check(Schema.isGreaterThan(1)).annotate({ description: "words per window" }),
  }),
  inputs: { text: { type: Text, description: "stories of text/stories" } },
  run: ({ config: { window }, inputs }) =>
    Effect.gen(function* () {
      const words = inputs.text.documents.flatMap((story) => [storyEnd, ...splitWords(story)])
      const windows = Array.from({ length: Math.floor(words.length / window) }, (_, i) =>
        words.slice(i * window, (i + 1) * window),
      )
      if (windows.length === 0) {
        const hint = `Choose a window of at most ${words.length}, or tell more stories.`
        return yield* new TextTooShort({ tokens: words.length, window, hint })
      }
      return {
        metrics: {
          perplexity: Math.exp(mean(windows.map((part) => mean(windowLoss(part))))),
          floor: storyEntropy.perplexity,
          windows: windows.length,
          window,
        },
      }
    }),
})
