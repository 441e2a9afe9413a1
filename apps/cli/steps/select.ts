import { Metrics, Step } from "@espalier/pipeline"
import { Effect, Schema } from "effect"
import { Model } from "../artifacts/model.ts"
import { missingMetric, numbersOf } from "./figures.ts"

/** Candidates and scores that do not belong together. */
export class CandidatesUnmatched extends Schema.TaggedError<CandidatesUnmatched>()(
  "CandidatesUnmatched",
  {
    candidates: Schema.Array(Schema.String),
    scores: Schema.Array(Schema.String),
    hint: Schema.String,
  },
) {
  override get message(): string {
    const names = (list: ReadonlyArray<string>) => list.join(", ") || "none"
    return `candidates are ${names(this.candidates)}; scores are for ${names(this.scores)}`
  }
}

/** `model/select`: the model that does best on data set aside for the choice. */
export const modelSelect = Step.define({
  use: "model/select",
  description: "Chooses the candidate with the smallest (or largest) score; ties go to the first.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    metric: Schema.NonEmptyString.annotate({ description: "the metric to choose by" }).pipe(
      Schema.withDecodingDefault(Effect.succeed("perplexity")),
    ),
    best: Schema.Literals(["smallest", "largest"])
      .annotate({ description: "which value is best" })
      .pipe(Schema.withDecodingDefault(Effect.succeed("smallest" as const))),
  }),
  inputs: {
    candidates: { type: Model, many: true, description: "the models, by name" },
    scores: {
      type: Metrics,
      many: true,
      description: "what was measured of each, by the same names",
    },
  },
  outputs: { model: Model },
  run: ({ config: { metric, best }, inputs: { candidates, scores } }) =>
    Effect.gen(function* () {
      const names = candidates.map(({ name }) => name)
      const ordered = names.flatMap((name) => scores.filter((score) => score.name === name))
      if (names.length === 0 || ordered.length !== names.length || scores.length !== names.length) {
        const hint = "Give candidates and scores as maps with the same keys."
        const scored = scores.map(({ name }) => name)
        return yield* new CandidatesUnmatched({ candidates: names, scores: scored, hint })
      }
      const values = numbersOf(metric, ordered)
      if (values === undefined) return yield* missingMetric(metric, ordered)
      const wanted = best === "smallest" ? Math.min(...values) : Math.max(...values)
      const chosen = values.indexOf(wanted)
      return {
        outputs: { model: candidates[chosen].value },
        metrics: {
          chosen: names[chosen],
          [metric]: wanted,
          scores: Object.fromEntries(names.map((name, i) => [name, values[i]])),
        },
      }
    }),
})
