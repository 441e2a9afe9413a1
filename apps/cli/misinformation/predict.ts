import {
  type Claim,
  detect,
  type Detector,
  formatOutput,
  type Item,
  streamClaims,
} from "@espalier/misinformation"
import { Progress } from "@espalier/runtime"
import { Effect, Ref, Stream } from "effect"
import type { PredictionFile } from "./prediction_file.ts"
import { makeVerifier } from "./verifier.ts"

/** What a run of predictions did. */
export interface PredictionCounts {
  readonly items: number
  /** Answers of a language model that had no valid form. */
  readonly invalid: number
  /** Passages that a language model cited. */
  readonly citations: number
  /** Those of them that do not stand in the context. */
  readonly unfounded: number
}

/** A line to write, and what it adds to the counts. */
interface Predicted {
  readonly record: Readonly<Record<string, unknown>>
  readonly counts: Omit<PredictionCounts, "items">
}

/** Whoever judges claims. */
export type Ask<E, R> = (claim: Claim) => Effect.Effect<Predicted, E, R>

const nothing = { invalid: 0, citations: 0, unfounded: 0 }

const round = (value: number) => Math.round(value * 1e6) / 1e6

/** Asks a trained detector. */
export const askDetector =
  (detector: Detector, budget: number | undefined) =>
  (claim: Claim): Effect.Effect<Predicted> =>
    Effect.sync(() => {
      const { label, probabilities, explanation, evidence } = detect(detector, claim, budget)
      const output = formatOutput(label, explanation)
      return {
        record: { output, probabilities: probabilities.map(round), evidence },
        counts: nothing,
      }
    })

/** Asks a language model, with the nearest of the examples before the question. */
export const makeAskModel = Effect.fnUntraced(function* (
  examples: ReadonlyArray<Item>,
  shots: number,
) {
  const verify = yield* makeVerifier(examples, shots)
  return (claim: Claim) =>
    Effect.map(verify(claim), (verdict): Predicted => {
      const { label, explanation, evidence, unfounded, invalid } = verdict
      return {
        record: {
          output: label === undefined ? (invalid?.answer ?? "") : formatOutput(label, explanation),
          evidence: evidence.map(({ text, span }) =>
            span === undefined ? { text, inContext: false } : { ...span, inContext: true },
          ),
          ...(invalid === undefined ? {} : { invalid: invalid.problem }),
        },
        counts: {
          invalid: invalid === undefined ? 0 : 1,
          citations: evidence.length,
          unfounded,
        },
      }
    })
})

/** Asks about each claim of a file that has no prediction yet, and writes the answers as they come. */
export const predictFile = <E, R>(
  path: string,
  predictions: PredictionFile,
  ask: Ask<E, R>,
  options: { readonly skipBroken: boolean },
) =>
  Effect.gen(function* () {
    const counts = yield* Ref.make<PredictionCounts>({ items: predictions.done, ...nothing })
    const work = streamClaims(path, options).pipe(
      Stream.drop(predictions.done),
      Stream.runForEach(
        Effect.fnUntraced(function* (claim) {
          const { record, counts: more } = yield* ask(claim)
          yield* predictions.append(JSON.stringify(record))
          const { items } = yield* Ref.updateAndGet(counts, (before) => ({
            items: before.items + 1,
            invalid: before.invalid + more.invalid,
            citations: before.citations + more.citations,
            unfounded: before.unfounded + more.unfounded,
          }))
          yield* Progress.report({ task: "predicting", completed: items, unit: "claims" })
          yield* Effect.yieldNow
        }),
      ),
    )
    return { work, counts: Ref.get(counts) }
  })
