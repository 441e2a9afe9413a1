import { mean, rougeN, rougeTokens, uniformNumbers } from "@espalier/evaluation"
import { Layers, Optimizers, Schedules, train, type TrainError } from "@espalier/nn"
import type { Device } from "@espalier/tensor"
import { HostArray, Tensor } from "@espalier/tensor"
import { Effect, type Scope } from "effect"
import type { Vocabulary } from "./link_traces.ts"
import { denseWidth, hashWidth, type SegmentFeatures, segmentFeatures } from "./segment_features.ts"
import { type Segments, segmentsOf } from "./segments.ts"
import type { Claim, Item } from "./item.ts"
import type { Span } from "./sentences.ts"

/** Sentences before and after a sentence that its score looks at. */
const reach = 3
const windowWidth = (2 * reach + 1) * denseWidth
const inputWidth = windowWidth + hashWidth
const batchSize = 512

/** How the sentence scorer is trained. */
export interface ExplainerOptions {
  /** 700. */
  readonly steps?: number
  /** Hidden units; 48. */
  readonly hidden?: number
  readonly seed?: number
  /** Look at what links left behind in the text; true. */
  readonly linkTraces?: boolean
}

/** A scorer of sentences: a hidden layer over a sentence, its neighbours and its words. */
export interface ExplainerParameters {
  readonly hidden: HostArray.HostArray
  readonly hiddenBias: HostArray.HostArray
  readonly output: HostArray.HostArray
  readonly outputBias: HostArray.HostArray
}

/** Parameters of zeros, as large as those of a scorer with so many hidden units. */
export const explainerShapes = (hidden: number): ExplainerParameters => ({
  hidden: HostArray.zeros([hidden, inputWidth]),
  hiddenBias: HostArray.zeros([hidden]),
  output: HostArray.zeros([1, hidden]),
  outputBias: HostArray.zeros([1]),
})

/** A trained scorer, and what it looks at. */
export interface Explainer {
  readonly parameters: ExplainerParameters
  readonly linkTraces: boolean
  /** The most words of an explanation. */
  readonly budget: number
}

/** A context made ready for the scorer. */
interface Prepared {
  readonly segments: Segments
  readonly features: SegmentFeatures
}

export const prepare = (
  { claim, context }: Claim,
  vocabulary: Vocabulary,
  linkTraces: boolean,
): Prepared => {
  const segments = segmentsOf(context, { linkTraces })
  const features = segmentFeatures(segments, claim, linkTraces ? vocabulary : new Map())
  return { segments, features }
}

/** What share of the three-token runs of each sentence stands in the explanation. */
const targetsOf = ({ segments: { text, spans } }: Prepared, explanation: string) => {
  const gramsOf = (tokens: ReadonlyArray<string>) =>
    tokens.slice(2).map((_, i) => tokens.slice(i, i + 3).join(" "))
  const wanted = new Set(gramsOf(rougeTokens(explanation)))
  return spans.map(({ start, end }) => {
    const grams = gramsOf(rougeTokens(text.slice(start, end)))
    return grams.filter((gram) => wanted.has(gram)).length / Math.max(1, grams.length)
  })
}

/** Writes the inputs of sentence i at row `row` of a matrix of zeros. */
const fillRow = (matrix: Float32Array, row: number, features: SegmentFeatures, i: number) => {
  const at = row * inputWidth
  for (let offset = -reach; offset <= reach; offset++) {
    const j = i + offset
    if (j < 0 || j >= features.count) continue
    const own = features.dense.subarray(j * denseWidth, (j + 1) * denseWidth)
    matrix.set(own, at + (offset + reach) * denseWidth)
  }
  const places = features.hashed[i]
  for (const place of places) matrix[at + windowWidth + place] = 1 / Math.sqrt(places.length)
}

/** Normal numbers of mean 0 for first weights. */
const normalArray = (shape: ReadonlyArray<number>, deviation: number, next: () => number) => {
  const size = shape.reduce((product, length) => product * length, 1)
  const values = Float32Array.from(
    { length: size },
    () => deviation * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  )
  return HostArray.make(shape, values)
}

/** −y log p − (1 − y) log(1 − p) of logits, without overflow. */
const binaryCrossEntropy = (logits: Tensor.Tensor, targets: Tensor.Tensor) =>
  Tensor.add(
    Tensor.sub(Tensor.maximum(logits, 0), Tensor.mul(logits, targets)),
    Tensor.log(Tensor.add(1, Tensor.exp(Tensor.neg(Tensor.abs(logits))))),
  )

/** Trains the scorer on which sentences stand in the explanations of items. */
export const trainExplainer = Effect.fn("trainExplainer")(function* (
  items: ReadonlyArray<Item>,
  vocabulary: Vocabulary,
  { steps = 700, hidden = 48, seed = 0, linkTraces = true }: ExplainerOptions = {},
): Effect.fn.Return<Explainer, TrainError, Device | Scope.Scope> {
  const prepared = items.map((item) => prepare(item, vocabulary, linkTraces))
  const sentences = prepared.flatMap((each, k) =>
    targetsOf(each, items[k].explanation).map((target, i) => ({
      features: each.features,
      i,
      target,
      weight: Math.min(2, each.features.lengths[i] / 20),
    })),
  )
  const next = uniformNumbers(seed)
  const { parameters } = yield* train({
    name: "sentence scorer",
    parameters: {
      hidden: normalArray([hidden, inputWidth], 0.05, next),
      hiddenBias: HostArray.zeros([hidden]),
      output: normalArray([1, hidden], 0.1, next),
      outputBias: HostArray.make([1], Float32Array.of(-1)),
    },
    batch: (step) => {
      const draw = uniformNumbers((seed + 1) * 1_000_003 + step)
      const inputs = new Float32Array(batchSize * inputWidth)
      const drawn = Array.from({ length: batchSize }, (_, row) => {
        const sentence = sentences[Math.floor(draw() * sentences.length)]
        fillRow(inputs, row, sentence.features, sentence.i)
        return sentence
      })
      return {
        inputs: HostArray.make([batchSize, inputWidth], inputs),
        targets: HostArray.make(
          [batchSize],
          Float32Array.from(drawn, ({ target }) => target),
        ),
        weights: HostArray.make(
          [batchSize],
          Float32Array.from(drawn, ({ weight }) => weight),
        ),
      }
    },
    loss: (p, { inputs, targets, weights }) => {
      const units = Tensor.relu(Tensor.add(Layers.linear(inputs, p.hidden), p.hiddenBias))
      const logits = Tensor.add(Layers.linear(units, p.output), p.outputBias)
      const losses = binaryCrossEntropy(Tensor.reshape(logits, [batchSize]), targets)
      return Tensor.div(Tensor.sum(Tensor.mul(losses, weights)), Tensor.sum(weights))
    },
    optimizer: Optimizers.adamW({ weightDecay: 0.05 }),
    learningRate: Schedules.warmupCosine({ peak: 3e-3, warmup: 20, steps }),
    steps,
    items: { count: batchSize, unit: "sentences" },
  })
  return { parameters, linkTraces, budget: Number.POSITIVE_INFINITY }
})

/** How likely each sentence is to stand in the explanation. */
const sentenceProbabilities = (
  { parameters }: Explainer,
  features: SegmentFeatures,
): ReadonlyArray<number> => {
  const [weights, biases] = [parameters.hidden.data, parameters.hiddenBias.data]
  const row = new Float32Array(inputWidth)
  return features.lengths.map((_, i) => {
    row.fill(0)
    fillRow(row, 0, features, i)
    const places = [...row.keys()].filter((place) => row[place] !== 0)
    let logit = parameters.outputBias.data[0]
    for (let unit = 0; unit < biases.length; unit++) {
      let sum = biases[unit]
      for (const place of places) sum += weights[unit * inputWidth + place] * row[place]
      if (sum > 0) logit += sum * parameters.output.data[unit]
    }
    return 1 / (1 + Math.exp(-logit))
  })
}

/**
 * The sentences whose expected F1 of words is best: by falling probability as many as raise
 * 2 E[words in common] / (words chosen + E[words wanted]), within the budget; at least one.
 */
export const chooseSentences = (
  probabilities: ReadonlyArray<number>,
  lengths: ReadonlyArray<number>,
  budget: number,
): ReadonlyArray<number> => {
  const order = probabilities.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a])
  const wanted = probabilities.reduce((sum, p, i) => sum + p * lengths[i], 0)
  const chosen: Array<number> = []
  let [shared, words, best] = [0, 0, 0]
  for (const i of order) {
    if (chosen.length > 0 && words + lengths[i] > budget) continue
    const [nextShared, nextWords] = [shared + probabilities[i] * lengths[i], words + lengths[i]]
    const f1 = (2 * nextShared) / (nextWords + wanted)
    if (chosen.length > 0 && f1 <= best) break
    ;[shared, words, best] = [nextShared, nextWords, f1]
    chosen.push(i)
  }
  return chosen.sort((a, b) => a - b)
}

/** An explanation put together from sentences of the context. */
export interface Explanation {
  readonly text: string
  /** Where its sentences stand in the context, in their order. */
  readonly evidence: ReadonlyArray<Span>
}

/** Explains by sentences of the context, in their order, with at most `budget` words of them (but one sentence). */
export const explain = (
  explainer: Explainer,
  claim: Claim,
  vocabulary: Vocabulary,
  budget: number = explainer.budget,
): Explanation => {
  const { segments, features } = prepare(claim, vocabulary, explainer.linkTraces)
  const probabilities = sentenceProbabilities(explainer, features)
  const evidence = chooseSentences(probabilities, features.lengths, budget).map(
    (i) => segments.spans[i],
  )
  const text = evidence.map(({ start, end }) => claim.context.slice(start, end)).join(" ")
  return { text, evidence }
}

/** Ceilings of words that are tried. */
const budgets = [200, 400, 800, 1600, Number.POSITIVE_INFINITY]

/** The ceiling under which a scorer explains items best that it has not learnt from. */
export const chooseBudget = (
  held: ReadonlyArray<{
    readonly explainer: Explainer
    readonly vocabulary: Vocabulary
    readonly items: ReadonlyArray<Item>
  }>,
): number => {
  const scores = budgets.map((budget) =>
    mean(
      held.flatMap(({ explainer, vocabulary, items }) =>
        items.map((item) => {
          const given = rougeTokens(explain(explainer, item, vocabulary, budget).text)
          return rougeN(rougeTokens(item.explanation), given, 1).f1
        }),
      ),
    ),
  )
  return budgets[scores.indexOf(Math.max(...scores))]
}
