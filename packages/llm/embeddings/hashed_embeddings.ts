import { Effect, Layer } from "effect"
import { EmbeddingModel } from "effect/ai"
import { type HashedTfIdf, type HashedTfIdfOptions, makeHashedTfIdf } from "./hashed_tf_idf.ts"

/**
 * An `EmbeddingModel` that needs no server: hashed n-grams as `makeHashedTfIdf` makes them, or a
 * fitted one of these. It costs nothing and always gives the same vectors.
 *
 * @example
 * ```ts
 * import { hashedEmbeddings } from "@espalier/llm"
 * import { Effect } from "effect"
 * import { EmbeddingModel } from "effect/ai"
 *
 * const embedded = Effect.gen(function* () {
 *   const model = yield* EmbeddingModel.EmbeddingModel
 *   return yield* model.embed("prices are rising")
 * }).pipe(Effect.provide(hashedEmbeddings({ dimensions: 256 })))
 * console.log((await Effect.runPromise(embedded)).vector.length) // 256
 * ```
 */
export const hashedEmbeddings = (
  options: HashedTfIdfOptions | HashedTfIdf = {},
): Layer.Layer<EmbeddingModel.EmbeddingModel> => {
  const hashed = "embed" in options ? options : makeHashedTfIdf(options)
  return Layer.effect(
    EmbeddingModel.EmbeddingModel,
    EmbeddingModel.make({
      embedMany: ({ inputs }) =>
        Effect.sync(() => ({
          results: inputs.map((text) => Array.from(hashed.embed(text))),
          usage: { inputTokens: undefined },
        })),
    }),
  )
}
