import {
  bestLead,
  crossValidate,
  groupNearDuplicates,
  type Item,
  labels,
  leadVerdict,
  majorityLabel,
  oracleExplanation,
  readItems,
  TooFewItems,
} from "@espalier/misinformation"
import { Step } from "@espalier/pipeline"
import { Notices } from "@espalier/runtime"
import { Effect, Schema } from "effect"
import { FmdItems, FmdVerdicts } from "../artifacts/fmd.ts"
import { measured } from "../measured.ts"
import { Count } from "../method_options.ts"
import { compareVerdicts, evaluateVerdicts } from "../misinformation/evaluate.ts"
import { fmdVerify } from "./fmd_verify.ts"

const orElse = <S extends Schema.Codec<unknown, unknown>>(schema: S, value: S["Type"]) =>
  schema.pipe(Schema.withDecodingDefault(Effect.succeed(value as S["Encoded"] & {})))

const countsOf = (items: ReadonlyArray<Item>) =>
  Object.fromEntries(
    labels.map((label) => [label, items.filter((item) => item.label === label).length]),
  )

/** `fmd/load`: items from files of the challenge. */
const fmdLoad = Step.define({
  use: "fmd/load",
  description: "Reads claims with contexts and right answers from JSON lines as in FMD_train.json.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    path: Schema.String.annotate({ description: "the file" }),
    and: Schema.optionalKey(Schema.String.annotate({ description: "a second file, after it" })),
    take: Schema.optionalKey(
      Count.annotate({ description: "how many items to take at most, from all over the files" }),
    ),
    skipBroken: orElse(
      Schema.Boolean.annotate({ description: "leave lines out that cannot be read" }),
      false,
    ),
  }),
  paths: ["path", "and"],
  limited: ["take"],
  outputs: { items: FmdItems },
  run: ({ config: { take, skipBroken }, paths }) =>
    Effect.gen(function* () {
      const files = [paths.path, ...(paths.and === undefined ? [] : [paths.and])]
      const read = yield* Effect.forEach(files, (file) => readItems(file, { skipBroken }))
      const all = read.flat()
      const count = Math.min(take ?? all.length, all.length)
      const items = Array.from(
        { length: count },
        (_, i) => all[Math.floor((i * all.length) / count)],
      )
      const { pairs, items: alike } = groupNearDuplicates(items)
      return {
        outputs: { items },
        metrics: {
          items: items.length,
          ...countsOf(items),
          nearDuplicatePairs: pairs,
          nearDuplicateItems: alike,
        },
      }
    }),
})

const itemsInput = { items: { type: FmdItems, description: "the items" } }

/** `fmd/cross-validate`: verdicts by detectors that have not seen the items. */
const fmdCrossValidate = Step.define({
  use: "fmd/cross-validate",
  description:
    "Trains a detector for each fold on the others and judges the fold with it; near-duplicates stay in one fold.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    folds: orElse(Count.annotate({ description: "into how many parts" }), 5),
    innerFolds: orElse(
      Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).annotate({
        description:
          "parts of the training items that temperature and budget are chosen on; 0: neither",
      }),
      3,
    ),
    source: orElse(
      Schema.Literals(["claim and context", "claim", "context"]).annotate({
        description: "what the label is decided from",
      }),
      "claim and context" as const,
    ),
    linkTraces: orElse(
      Schema.Boolean.annotate({
        description: "whether explanations look at what links left behind in the text",
      }),
      true,
    ),
    steps: orElse(Count.annotate({ description: "steps of the sentence scorer" }), 700),
    seed: Schema.optionalKey(
      Schema.Int.annotate({ description: "of the partition (default the pipeline's)" }),
    ),
  }),
  inputs: itemsInput,
  outputs: { verdicts: FmdVerdicts },
  limited: ["steps"],
  usesDevice: true,
  usesSeed: true,
  run: ({ config, inputs: { items }, seed: common }) =>
    Effect.gen(function* () {
      const { folds, innerFolds, source, linkTraces, steps, seed = common } = config
      const options = { folds, innerFolds, source, linkTraces, explainerSteps: steps, seed }
      const [{ verdicts, duplicatePairs }, cost] = yield* measured(crossValidate(items, options))
      yield* Notices.report(
        `${duplicatePairs} pairs of items are nearly the same: each pair is in one fold`,
      )
      return { outputs: { verdicts }, metrics: { duplicatePairs, ...cost } }
    }),
})

/** `fmd/baseline`: the label that most items have, and an explanation without learning. */
const fmdBaseline = Step.define({
  use: "fmd/baseline",
  description:
    "The majority label with the first N words (the N that does best on these very items), or with the sentences that stand in the right explanation.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    explanation: orElse(
      Schema.Literals(["lead", "oracle"]).annotate({
        description: "lead: the first words; oracle: what extraction can reach at best",
      }),
      "lead" as const,
    ),
    words: orElse(
      Schema.NonEmptyArray(Count).annotate({ description: "lead: the lengths to choose from" }),
      [100, 200, 300, 400, 500, 600, 700, 800, 1000] as const,
    ),
  }),
  inputs: itemsInput,
  outputs: { verdicts: FmdVerdicts },
  run: ({ config, inputs: { items } }) =>
    Effect.sync(() => {
      const words = bestLead(items, config.words)
      const majority = majorityLabel(items)
      const verdicts = items.map((item) => {
        const lead = leadVerdict(item, majority, words)
        return config.explanation === "lead"
          ? lead
          : { ...lead, explanation: oracleExplanation(item), evidence: [] }
      })
      return {
        outputs: { verdicts },
        metrics: { majority, ...(config.explanation === "lead" ? { leadWords: words } : {}) },
      }
    }),
})

const resampling = {
  resamples: orElse(Count.annotate({ description: "bootstrap resamples of intervals" }), 2000),
}

/** Verdicts of other items than these cannot be told from right ones but by their number. */
const sameCount = (items: number, verdicts: number) =>
  items === verdicts && items > 0
    ? Effect.void
    : Effect.fail(
        new TooFewItems({
          detail: `there are ${items} items and ${verdicts} verdicts on them`,
          hint: "Give the verdicts that were made of these items.",
        }),
      )

/** `fmd/evaluate`: figures with intervals. */
const fmdEvaluate = Step.define({
  use: "fmd/evaluate",
  description:
    "Micro- and macro-F1, ROUGE and the challenge's overall score of verdicts, with 95 % intervals; report per label, confusion matrix, calibration.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct(resampling),
  inputs: { ...itemsInput, verdicts: { type: FmdVerdicts, description: "what was made of them" } },
  usesSeed: true,
  run: ({ config: { resamples }, inputs: { items, verdicts }, seed }) =>
    Effect.gen(function* () {
      yield* sameCount(items.length, verdicts.length)
      return { metrics: evaluateVerdicts(items, verdicts, { resamples, seed }) }
    }),
})

/** `fmd/compare`: differences with paired intervals. */
const fmdCompare = Step.define({
  use: "fmd/compare",
  description:
    "How much better verdicts are than others on the same items, with paired 95 % intervals; of several partitions together where lists are given.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct(resampling),
  inputs: {
    ...itemsInput,
    verdicts: { type: FmdVerdicts, many: true, description: "what was made of them" },
    baseline: { type: FmdVerdicts, many: true, description: "what they are compared with" },
  },
  usesSeed: true,
  run: ({ config: { resamples }, inputs: { items, verdicts, baseline }, seed }) =>
    Effect.gen(function* () {
      for (const { value } of [...verdicts, ...baseline]) {
        yield* sameCount(items.length, value.length)
      }
      const valuesOf = (named: typeof verdicts) => named.map(({ value }) => value)
      const [mine, theirs] = [valuesOf(verdicts), valuesOf(baseline)]
      return { metrics: compareVerdicts(items, mine, theirs, { resamples, seed }) }
    }),
})

/** Steps of misinformation detection. */
export const fmdSteps = [fmdLoad, fmdCrossValidate, fmdBaseline, fmdVerify, fmdEvaluate, fmdCompare]
