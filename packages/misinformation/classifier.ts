import { mean } from "@espalier/evaluation"
import { Layers, Optimizers, Schedules, train, type TrainError } from "@espalier/nn"
import type { Device } from "@espalier/tensor"
import { HostArray, Tensor } from "@espalier/tensor"
import { Effect, type Scope } from "effect"
import {
  type ClaimFeatures,
  claimFeatures,
  type FeatureSource,
  featureWidth,
  rawFeatures,
  scalesOf,
} from "./claim_features.ts"
import type { Claim, Item } from "./item.ts"
import { labels } from "./label.ts"
import type { Vocabulary } from "./link_traces.ts"
import { segmentsOf } from "./segments.ts"

/** How the classifier is trained. */
export interface ClassifierOptions {
  /** What it may look at; claim and context. */
  readonly source?: FeatureSource
  /** 150. */
  readonly steps?: number
}

/** Labels that are rare weigh more: each item by the root of how rare its label is, 1 on average. */
const itemWeights = (items: ReadonlyArray<Item>): HostArray.HostArray => {
  const counts = new Map(labels.map((label) => [label, 0]))
  for (const { label } of items) counts.set(label, counts.get(label)! + 1)
  const weights = items.map(({ label }) => 1 / Math.sqrt(counts.get(label)!))
  const average = mean(weights)
  return HostArray.make(
    [items.length],
    Float32Array.from(weights, (weight) => weight / average),
  )
}

/** Weight of the squared weights in the loss. */
const decay = 1e-3

/** Multinomial logistic regression over hashed features. */
export interface Classifier {
  readonly source: FeatureSource
  readonly parameters: {
    /** Shape [labels, features]. */
    readonly weights: HostArray.HostArray
    readonly bias: HostArray.HostArray
    /** What each feature is multiplied by; 0 where training had none. */
    readonly scales: HostArray.HostArray
  }
  /** What logits are divided by so that probabilities are as sure as they should be. */
  readonly temperature: number
}

const rawOf = ({ claim, context }: Claim, vocabulary: Vocabulary, source: FeatureSource) =>
  rawFeatures(segmentsOf(context), claim, vocabulary, source)

/** Trains the classifier on the labels of items. */
export const trainClassifier = Effect.fn("trainClassifier")(function* (
  items: ReadonlyArray<Item>,
  vocabulary: Vocabulary,
  { source = "claim and context", steps = 150 }: ClassifierOptions = {},
): Effect.fn.Return<Classifier, TrainError, Device | Scope.Scope> {
  const raw = items.map((item) => rawOf(item, vocabulary, source))
  const known = scalesOf(raw)
  const inputs = new Float32Array(items.length * featureWidth)
  for (const [row, each] of raw.entries()) {
    const { places, values } = claimFeatures(each, known)
    for (const [i, place] of places.entries()) inputs[row * featureWidth + place] = values[i]
  }
  const targets = HostArray.make(
    [items.length],
    Int32Array.from(items, ({ label }) => labels.indexOf(label)),
  )
  const weights = itemWeights(items)
  const { parameters } = yield* train({
    name: "claim classifier",
    parameters: {
      weights: HostArray.zeros([labels.length, featureWidth]),
      bias: HostArray.zeros([labels.length]),
    },
    constants: { inputs: HostArray.make([items.length, featureWidth], inputs) },
    batch: () => ({ targets, weights }),
    loss: (p, batch, constants) => {
      const logits = Tensor.add(Layers.linear(constants.inputs, p.weights), p.bias)
      const penalty = Tensor.mul(Tensor.sum(Tensor.square(p.weights)), decay)
      const losses = Tensor.mul(Layers.crossEntropy(logits, batch.targets), batch.weights)
      return Tensor.add(Tensor.mean(losses), penalty)
    },
    optimizer: Optimizers.adamW({ weightDecay: 0 }),
    learningRate: Schedules.warmupCosine({ peak: 0.03, warmup: 5, steps }),
    steps,
    items: { count: items.length, unit: "items" },
  })
  const scales = new Float32Array(featureWidth)
  for (const [place, scale] of known) scales[place] = scale
  return {
    source,
    parameters: { ...parameters, scales: HostArray.make([featureWidth], scales) },
    temperature: 1,
  }
})

const featuresOf = (
  classifier: Classifier,
  claim: Claim,
  vocabulary: Vocabulary,
): ClaimFeatures => {
  const scales = classifier.parameters.scales.data
  return claimFeatures(rawOf(claim, vocabulary, classifier.source), {
    get: (place) => (scales[place] === 0 ? undefined : scales[place]),
  })
}

/** One number a label; the largest is the guess. */
export const logitsOf = (
  classifier: Classifier,
  claim: Claim,
  vocabulary: Vocabulary,
): ReadonlyArray<number> => {
  const { places, values } = featuresOf(classifier, claim, vocabulary)
  const weights = classifier.parameters.weights.data
  return labels.map((_, label) =>
    places.reduce(
      (sum, place, i) => sum + values[i] * weights[label * featureWidth + place],
      classifier.parameters.bias.data[label],
    ),
  )
}

/** softmax(logits / temperature). */
export const probabilitiesOf = (
  logits: ReadonlyArray<number>,
  temperature: number,
): ReadonlyArray<number> => {
  const highest = Math.max(...logits)
  const powers = logits.map((logit) => Math.exp((logit - highest) / temperature))
  const total = powers.reduce((sum, power) => sum + power, 0)
  return powers.map((power) => power / total)
}

/**
 * The temperature under which logits of items that were not learnt from give their labels the largest
 * likelihood (Guo et al. 2017), from 0.1 to 10 by a golden-section search.
 */
export const fitTemperature = (
  logits: ReadonlyArray<ReadonlyArray<number>>,
  truth: ReadonlyArray<number>,
): number => {
  const lossAt = (logTemperature: number) =>
    logits.reduce((sum, each, i) => {
      return sum - Math.log(probabilitiesOf(each, Math.exp(logTemperature))[truth[i]] + 1e-12)
    }, 0)
  const ratio = (Math.sqrt(5) - 1) / 2
  let [low, high] = [Math.log(0.1), Math.log(10)]
  for (let i = 0; i < 40; i++) {
    const [a, b] = [high - ratio * (high - low), low + ratio * (high - low)]
    if (lossAt(a) < lossAt(b)) high = b
    else low = a
  }
  return Math.exp((low + high) / 2)
}
