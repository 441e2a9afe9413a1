import { cosineSimilarity } from "@espalier/llm"
import { Effect } from "effect"
import { type AiError, EmbeddingModel } from "effect/ai"
import type { Claim, Item } from "./item.ts"

/** Finds the items that are most like a claim. */
export interface Neighbours {
  /** The nearest first, never one with the very same claim. */
  readonly nearest: (
    claim: Claim,
    count: number,
  ) => Effect.Effect<ReadonlyArray<Item>, AiError.AiError, EmbeddingModel.EmbeddingModel>
}

/** Claims embedded in one call. */
const batchSize = 64

/**
 * Makes items ready to be examples: their claims are embedded by the `EmbeddingModel` of the context
 * (`hashedEmbeddings` of `@espalier/llm` needs no server) and compared by cosine.
 *
 * @example
 * ```ts
 * import { hashedEmbeddings } from "@espalier/llm"
 * import { makeNeighbours } from "@espalier/misinformation"
 * import { Effect } from "effect"
 *
 * const item = (claim: string) => ({ claim, context: "…", label: "NEI" as const, explanation: "…" })
 * const found = Effect.gen(function* () {
 *   const { nearest } = yield* makeNeighbours([item("Taxes fell."), item("A shark swam in the street.")])
 *   return yield* nearest({ claim: "Did taxes fall?", context: "…" }, 1)
 * }).pipe(Effect.provide(hashedEmbeddings()))
 * console.log((await Effect.runPromise(found))[0].claim) // Taxes fell.
 * ```
 */
export const makeNeighbours = Effect.fnUntraced(function* (
  items: ReadonlyArray<Item>,
): Effect.fn.Return<Neighbours, AiError.AiError, EmbeddingModel.EmbeddingModel> {
  const model = yield* EmbeddingModel.EmbeddingModel
  const starts = Array.from(
    { length: Math.ceil(items.length / batchSize) },
    (_, i) => i * batchSize,
  )
  const batches = yield* Effect.forEach(starts, (start) =>
    model.embedMany(items.slice(start, start + batchSize).map(({ claim }) => claim)),
  )
  const vectors = batches.flatMap(({ embeddings }) => embeddings.map(({ vector }) => vector))
  return {
    nearest: Effect.fnUntraced(function* ({ claim }, count) {
      const { vector } = yield* (yield* EmbeddingModel.EmbeddingModel).embed(claim)
      return items
        .map((item, i) => ({ item, likeness: cosineSimilarity(vector, vectors[i]) }))
        .filter(({ item }) => item.claim !== claim)
        .toSorted((a, b) => b.likeness - a.likeness)
        .slice(0, count)
        .map(({ item }) => item)
    }),
  }
})
