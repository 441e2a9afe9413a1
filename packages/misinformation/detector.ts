import { stratifiedGroupFolds } from "@espalier/evaluation"
import type { TrainError } from "@espalier/nn"
import type { Device } from "@espalier/tensor"
import { Effect, type Scope } from "effect"
import type { FeatureSource } from "./claim_features.ts"
import {
  type Classifier,
  fitTemperature,
  logitsOf,
  probabilitiesOf,
  trainClassifier,
} from "./classifier.ts"
import { TooFewItems } from "./errors.ts"
import { chooseBudget, type Explainer, explain, trainExplainer } from "./explainer.ts"
import type { Claim, Item } from "./item.ts"
import { type Label, labels } from "./label.ts"
import { type Vocabulary, vocabularyOf } from "./link_traces.ts"
import { groupNearDuplicates } from "./near_duplicates.ts"
import type { Span } from "./sentences.ts"
import { wordsOf } from "./words.ts"

/** What a detector is trained with. All of it has defaults. */
export interface DetectorOptions {
  /** What the label is decided from; claim and context. */
  readonly source?: FeatureSource
  /** Steps of the classifier; 150. */
  readonly classifierSteps?: number
  /** Steps of the sentence scorer; 700. */
  readonly explainerSteps?: number
  /** Hidden units of the sentence scorer; 48. */
  readonly hidden?: number
  /** Whether explanations look at what links left behind in the text; true. */
  readonly linkTraces?: boolean
  /** Parts of the items that temperature and budget are chosen on, each held out once; 3. 0: neither is fitted. */
  readonly innerFolds?: number
  readonly seed?: number
}

/** A trained detector: it decides and explains without a language model and without a device. */
export interface Detector {
  readonly vocabulary: Vocabulary
  readonly classifier: Classifier
  readonly explainer: Explainer
}

/** What a detector makes of a claim. */
export interface Verdict {
  readonly label: Label
  /** In the order of {@link labels}. */
  readonly probabilities: ReadonlyArray<number>
  readonly explanation: string
  /** Where the sentences of the explanation stand in the context. */
  readonly evidence: ReadonlyArray<Span>
}

const fitOn = Effect.fnUntraced(function* (items: ReadonlyArray<Item>, options: DetectorOptions) {
  const vocabulary = vocabularyOf(items.map(({ context }) => wordsOf(context)))
  const { source, classifierSteps, explainerSteps, hidden, linkTraces, seed } = options
  const classifier = yield* trainClassifier(items, vocabulary, {
    ...(source === undefined ? {} : { source }),
    ...(classifierSteps === undefined ? {} : { steps: classifierSteps }),
  })
  const explainer = yield* trainExplainer(items, vocabulary, {
    ...(explainerSteps === undefined ? {} : { steps: explainerSteps }),
    ...(hidden === undefined ? {} : { hidden }),
    ...(linkTraces === undefined ? {} : { linkTraces }),
    ...(seed === undefined ? {} : { seed }),
  })
  return { vocabulary, classifier, explainer } satisfies Detector
})

/**
 * Trains classifier and explainer on items. The temperature of the classifier and the ceiling of words
 * of explanations are chosen on parts of the items that were held out.
 *
 * Fails with `TooFewItems` where the items do not have two labels and four of each for every inner
 * fold, and as `train` of `@espalier/nn` does.
 */
export const trainDetector = Effect.fn("trainDetector")(function* (
  items: ReadonlyArray<Item>,
  options: DetectorOptions = {},
): Effect.fn.Return<Detector, TrainError | TooFewItems, Device | Scope.Scope> {
  const { innerFolds = 3, seed = 0 } = options
  const found = new Set(items.map(({ label }) => label))
  if (found.size < 2 || items.length < Math.max(2, 4 * innerFolds)) {
    return yield* new TooFewItems({
      detail: `${items.length} items with ${found.size} labels are too few to learn from`,
      hint: `Give at least ${Math.max(2, 4 * innerFolds)} items, with two labels or three among them.`,
    })
  }
  const detector = yield* fitOn(items, options)
  if (innerFolds === 0) return detector
  const { groups } = groupNearDuplicates(items)
  const folds = stratifiedGroupFolds(
    items.map(({ label }, i) => ({ label, group: groups[i] })),
    innerFolds,
    seed,
  )
  const held = yield* Effect.forEach(Array.from({ length: innerFolds }).keys(), (fold) =>
    Effect.map(
      fitOn(
        items.filter((_, i) => folds[i] !== fold),
        options,
      ),
      (fitted) => ({ ...fitted, items: items.filter((_, i) => folds[i] === fold) }),
    ),
  )
  const judged = held.flatMap(({ classifier, vocabulary, items: others }) =>
    others.map((item) => ({
      logits: logitsOf(classifier, item, vocabulary),
      truth: labels.indexOf(item.label),
    })),
  )
  const temperature = fitTemperature(
    judged.map(({ logits }) => logits),
    judged.map(({ truth }) => truth),
  )
  return {
    ...detector,
    classifier: { ...detector.classifier, temperature },
    explainer: { ...detector.explainer, budget: chooseBudget(held) },
  }
})

/**
 * Decides about a claim and explains it by sentences of its context, in their order. `budget` is the
 * most words of the explanation; the detector has one of its own.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { detect, trainDetector } from "@espalier/misinformation"
 * import { Interpreter } from "@espalier/tensor"
 *
 * const items = Array.from({ length: 8 }, (_, i) => ({
 *   claim: `The town built bridge ${i}.`,
 *   context: i % 2 === 0 ? "We looked. It was built in 1999." : "We looked. That is a hoax.",
 *   label: i % 2 === 0 ? ("True" as const) : ("False" as const),
 *   explanation: i % 2 === 0 ? "It was built in 1999." : "That is a hoax.",
 * }))
 * const options = { innerFolds: 0, classifierSteps: 10, explainerSteps: 1, hidden: 2 }
 * const detector = await trainDetector(items, options).pipe(
 *   Effect.scoped,
 *   Effect.provide(Interpreter.layer),
 *   Effect.runPromise,
 * )
 * const { label } = detect(detector, { claim: "The town built a bridge.", context: "It is a hoax." })
 * console.log(label) // False
 * ```
 */
export const detect = (detector: Detector, claim: Claim, budget?: number): Verdict => {
  const { vocabulary, classifier, explainer } = detector
  const logits = logitsOf(classifier, claim, vocabulary)
  const { text, evidence } = explain(explainer, claim, vocabulary, budget)
  return {
    label: labels[logits.indexOf(Math.max(...logits))],
    probabilities: probabilitiesOf(logits, classifier.temperature),
    explanation: text,
    evidence,
  }
}
