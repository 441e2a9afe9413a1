import { hashedEmbeddings, makeHashedTfIdf } from "@espalier/llm"
import { type Claim, type Item, makeNeighbours, verifyClaim } from "@espalier/misinformation"
import { Effect } from "effect"

/**
 * A language model that is shown the likest of the examples before each question; `isFit` says which
 * of them it may see.
 */
export const makeVerifier = Effect.fnUntraced(function* (
  examples: ReadonlyArray<Item>,
  shots: number,
) {
  const hashed = makeHashedTfIdf().fit(examples.map(({ claim }) => claim))
  const embeddings = hashedEmbeddings(hashed)
  const { nearest } = yield* Effect.provide(makeNeighbours(examples), embeddings)
  return (claim: Claim, isFit: (example: Item) => boolean = () => true) =>
    nearest(claim, examples.length).pipe(
      Effect.provide(embeddings),
      // The likest comes last, right before the question.
      Effect.map((found) => found.filter(isFit).slice(0, shots).toReversed()),
      Effect.flatMap((shown) => verifyClaim(claim, { examples: shown })),
    )
})
