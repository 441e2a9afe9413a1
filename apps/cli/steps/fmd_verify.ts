import { groupNearDuplicates, type Item } from "@espalier/misinformation"
import { Step } from "@espalier/pipeline"
import { Checkpoint, Progress } from "@espalier/runtime"
import { Effect, Option, Schema } from "effect"
import { FmdItems, FmdVerdicts, type Judgement } from "../artifacts/fmd.ts"
import {
  languageModelFields,
  languageModelInputs,
  languageModelOperational,
  languageModelPaths,
  languageModelUsage,
  stepLanguageModel,
} from "../language_models/step_language_model.ts"
import { tellFailures } from "../language_models/mod.ts"
import { Count } from "../method_options.ts"
import { makeVerifier } from "../misinformation/verifier.ts"

/** What is kept after each answer, since answers cost money. */
interface Done {
  readonly verdicts: ReadonlyArray<Judgement>
  readonly citations: number
  readonly unfounded: number
}

const nothing: Done = { verdicts: [], citations: 0, unfounded: 0 }

const load = Effect.map(
  Checkpoint.load("answers"),
  Option.match({
    onNone: () => nothing,
    // Only this step writes under that name.
    onSome: (files) => JSON.parse(new TextDecoder().decode(files["answers.json"])) as Done,
  }),
)

const save = (done: Done) =>
  Checkpoint.save("answers", { "answers.json": new TextEncoder().encode(JSON.stringify(done)) })

/** For each item, whether an example may be shown before it: none that nearly is the item. */
const fitExamples = (items: ReadonlyArray<Item>, examples: ReadonlyArray<Item>) => {
  const { groups } = groupNearDuplicates([...items, ...examples])
  const groupOf = new Map(examples.map((example, i) => [example, groups[items.length + i]]))
  return (index: number) => (example: Item) => groupOf.get(example) !== groups[index]
}

/** `fmd/verify`: verdicts of a language model. */
export const fmdVerify = Step.define({
  use: "fmd/verify",
  description:
    "Asks a language model about each item with the challenge's prompt, after the likest examples; evidence that does not stand in the context is counted.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    shots: Count.annotate({ description: "how many examples are shown" }).pipe(
      Schema.withDecodingDefault(Effect.succeed(3)),
    ),
    ...languageModelFields,
  }),
  paths: languageModelPaths,
  operational: languageModelOperational,
  inputs: {
    items: { type: FmdItems, description: "the items" },
    examples: {
      type: FmdItems,
      optional: true,
      description: "items whose answers are shown, of which those that are nearly the same are not",
    },
    ...languageModelInputs,
  },
  outputs: { verdicts: FmdVerdicts },
  usesDevice: true,
  run: ({ id, config, paths, inputs }) =>
    Effect.gen(function* () {
      const { items, examples = [] } = inputs
      const verify = yield* makeVerifier(examples, config.shots)
      const fitFor = fitExamples(items, examples)
      let done = yield* load
      for (let i = done.verdicts.length; i < items.length; i++) {
        const verdict = yield* verify(items[i], fitFor(i))
        const { label, explanation, evidence, unfounded } = verdict
        const judgement: Judgement = {
          ...(label === undefined ? {} : { label }),
          explanation,
          evidence: evidence.flatMap(({ span }) => (span === undefined ? [] : [span])),
        }
        done = {
          verdicts: [...done.verdicts, judgement],
          citations: done.citations + evidence.length,
          unfounded: done.unfounded + unfounded,
        }
        yield* save(done)
        yield* Progress.report({ task: id, completed: i + 1, total: items.length, unit: "claims" })
      }
      const { verdicts, citations, unfounded } = done
      const invalid = verdicts.filter(({ label }) => label === undefined).length
      const usage = yield* languageModelUsage
      return {
        outputs: { verdicts },
        metrics: { items: items.length, invalid, citations, unfounded, ...usage },
      }
    }).pipe(Effect.provide(stepLanguageModel(config, paths, inputs)), tellFailures),
})
