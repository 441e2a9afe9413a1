import { joinWords } from "@espalier/models"
import type { GrammarEntropy } from "./grammar_entropy.ts"
import { grammarEntropy, makeReader } from "./grammar_entropy.ts"
import type { Grammar, Item, State } from "./probabilistic_grammar.ts"
import { branch, choose, continuations, makeGrammar, recall } from "./probabilistic_grammar.ts"
import { makeRandomNumbers } from "./random_numbers.ts"

const list = (words: string): ReadonlyArray<string> => words.split(" ")

const girls = list("Anna Emma Lily Mia Ruby Zoe")
const boys = list("Ben Finn Leo Max Sam Tom")
const names = [...girls, ...boys]
const colours = list("red blue green yellow white black pink purple")
const sizes = list("big small shiny soft tiny heavy round pretty")
const looks = [...colours, ...sizes]
const things = list("ball kite book hat drum boat cake bell doll lamp")
const places = list("park garden forest kitchen school barn field market")
const landmarks = list("tree gate river bridge chair wall pond hill")
const animals = list("dog cat bird duck frog horse rabbit mouse")
const feelings = list("happy sad tired proud scared brave calm glad")
const manners = list("quickly slowly quietly loudly softly gladly proudly bravely")
const moves = list("went walked ran skipped hurried hopped danced marched")
const gains = list("found saw bought made wanted lost drew painted")
const deeds = list("put hid threw left kept dropped placed forgot")
const thefts = list("took grabbed kicked pushed pulled chased bit licked")
const plays = list("sang danced played hopped laughed ran slept walked")
const weathers = list("warm cold windy sunny rainy dark quiet foggy")
const times = list("day morning evening night")
const relations = list("near behind under beside")
const seemings = list("was felt looked seemed")
const degrees = list("so very quite really")

const pronoun = (capital: boolean): ReadonlyMap<string, string> =>
  new Map([
    ...girls.map((name) => [name, capital ? "She" : "she"] as const),
    ...boys.map((name) => [name, capital ? "He" : "he"] as const),
  ])

const hero = recall("hero")
const She = recall("hero", pronoun(true))
const she = recall("hero", pronoun(false))
const thing = recall("thing")
const somewhere: ReadonlyArray<Item> = [choose(relations), "the", choose(landmarks)]

/** What happens in the middle, and how it ends; `partner` is a friend's name or an animal. */
const rest = (partner: ReadonlyArray<Item>): ReadonlyArray<Item> => {
  const events: ReadonlyArray<ReadonlyArray<Item>> = [
    [She, choose(deeds), "the", thing, ...somewhere, "."],
    ["Then", she, choose(plays), choose(manners), "with", ...partner, "."],
    ["It was", choose(weathers), "in the", recall("place"), "."],
    [hero, choose(seemings), choose(degrees), choose(feelings), "."],
  ]
  const endings: ReadonlyArray<ReadonlyArray<Item>> = [
    ["Soon", hero, "and", ...partner, choose(moves), "home", choose(manners), "."],
    ["At last the", recall("look"), thing, choose(seemings), choose(looks), "."],
  ]
  const event = (probability: number, next: ReadonlyArray<Item>) =>
    events.map((items) => [probability / events.length, [...items, ...next]] as const)
  const ending = (probability: number) =>
    endings.map((items) => [probability / endings.length, items] as const)
  const third = [branch(...event(0.5, [branch(...ending(1))]), ...ending(0.5))]
  const second = [branch(...event(0.6, third), ...ending(0.4))]
  return [branch(...event(1, second))]
}

const template: ReadonlyArray<Item> = [
  branch([0.6, ["One", choose(times)]], [0.4, ["Long ago"]]),
  choose(names, { slot: "hero" }),
  choose(moves),
  "to the",
  choose(places, { slot: "place" }),
  ".",
  She,
  choose(gains),
  "a",
  choose(looks, { slot: "look" }),
  choose(things, { slot: "thing" }),
  branch([0.5, ["."]], [0.5, [...somewhere, "."]]),
  branch(
    [
      0.5,
      [
        choose(names, { slot: "friend", except: "hero" }),
        choose(thefts),
        "the",
        thing,
        choose(manners),
        ".",
        ...rest([recall("friend")]),
      ],
    ],
    [
      0.5,
      [
        "A",
        choose(sizes),
        choose(animals, { slot: "animal" }),
        choose(thefts),
        "the",
        thing,
        ".",
        ...rest(["the", recall("animal")]),
      ],
    ],
  ),
]

/**
 * The grammar of short stories on which the demonstration model is trained: names, things and places
 * return later in a story, so that a model has to look back. Its entropy is known exactly.
 */
export const storyGrammar: Grammar = makeGrammar(template, "<s>")

/** The words and punctuation marks of the stories, sorted: one token each. */
export const storyVocabulary: ReadonlyArray<string> = storyGrammar.vocabulary

/**
 * What a story ends with, as a language model sees it: the begin token of the next one. It counts as a
 * token in every figure here.
 */
export const storyEnd: string = storyGrammar.end

/** The exact entropy of the stories, in nats per story and per token: the floor of any model. */
export const storyEntropy: GrammarEntropy = grammarEntropy(storyGrammar)

/** A story, its words, and the logarithm of its probability, the end included, in nats. */
export interface Story {
  readonly text: string
  readonly words: ReadonlyArray<string>
  readonly logProbability: number
}

/**
 * Tells `count` stories. The same seed tells the same stories, and a larger count begins with those of
 * a smaller one.
 *
 * @example
 * ```ts
 * const [story] = tellStories(0, 1)
 * story.text // "Long ago Mia went to the barn. She found a big ball. …"
 * ```
 */
export const tellStories = (seed: number, count: number): ReadonlyArray<Story> => {
  const random = makeRandomNumbers(seed)
  return Array.from({ length: count }, () => {
    const words: Array<string> = []
    let logProbability = 0
    let state: State | undefined = { node: storyGrammar.start, slots: {} }
    while (state !== undefined) {
      const options = continuations(storyGrammar, state)
      let chosen = 0
      if (options.length > 1) {
        for (let u = random(); chosen < options.length - 1; chosen++) {
          u -= options[chosen].probability
          if (u < 0) break
        }
      }
      const { word, probability, next }: (typeof options)[number] = options[chosen]
      logProbability += Math.log(probability)
      if (next !== undefined) words.push(word)
      state = next
    }
    return { text: joinWords(words), words, logProbability }
  })
}

/**
 * The probability of every word that may follow these words of a story; `storyEnd` is among them where
 * the story may end, and in `prefix` it begins the next one. Empty where the grammar excludes the prefix.
 *
 * @example
 * ```ts
 * nextTokenDistribution([]) // One 0.6, Long 0.4
 * ```
 */
export const nextTokenDistribution = (
  prefix: ReadonlyArray<string>,
): ReadonlyMap<string, number> => {
  const reader = makeReader(storyGrammar, "start")
  for (const word of prefix) reader.read(word)
  return reader.predict()
}

/**
 * The negative log-likelihood, in nats, of each word but the first of a window cut out of a stream of
 * stories at any place (`storyEnd` between them), as the best possible model has it which sees nothing
 * but the window. Its mean is the floor for windows of this length; it lies a little above
 * `storyEntropy`, because a window begins in the middle of a story. `Infinity` for an impossible word.
 *
 * @example
 * ```ts
 * windowLoss(["<s>", "One", "day", "Lily"]) // -ln 0.6, ln 4, ln 12
 * ```
 */
export const windowLoss = (words: ReadonlyArray<string>): ReadonlyArray<number> => {
  const reader = makeReader(storyGrammar, "anywhere")
  return words.map((word) => -Math.log(reader.read(word))).slice(1)
}
