import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { EmbeddingModel } from "effect/ai"
import { FetchHttpClient } from "effect/http"
import { budgetLayer } from "../spending/budget.ts"
import { Ledger, ledgerLayer } from "../spending/ledger.ts"
import { json, type Reply, startServer, text } from "../testing/loopback_server.ts"
import { typedErrors } from "../typed_errors.ts"
import { openAiEmbeddings } from "./embeddings.ts"

/** Embeds each text as its length, the answers in the wrong order. */
const lengths: Reply = (response, request) => {
  const input = request.body["input"] as ReadonlyArray<string>
  const data = input.map((item, index) => ({ index, embedding: [item.length] })).toReversed()
  json({ data, usage: { prompt_tokens: input.length } })(response, request)
}

const embed = (url: string, texts: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const model = yield* EmbeddingModel.EmbeddingModel
    return yield* typedErrors(model.embedMany(texts))
  }).pipe(
    Effect.provide(
      openAiEmbeddings({ model: "e", baseUrl: url, dimensions: 1, batch: 2, retries: 0 }).pipe(
        Layer.provide(FetchHttpClient.layer),
      ),
    ),
  )

describe("openAiEmbeddings", () => {
  it.live("asks in batches and puts vectors in order", () =>
    Effect.gen(function* () {
      const server = yield* startServer(lengths)
      const { embeddings, usage } = yield* embed(server.url, ["a", "bb", "ccc"])
      assert.deepStrictEqual(
        embeddings.map(({ vector }) => vector),
        [[1], [2], [3]],
      )
      assert.strictEqual(usage.inputTokens, 3)
      assert.deepStrictEqual(server.seen[0].body, { model: "e", input: ["a", "bb"], dimensions: 1 })
      const entries = yield* Effect.flatMap(Ledger, (ledger) => ledger.entries)
      assert.deepStrictEqual(
        entries.map(({ kind, cost }) => [kind, cost]),
        [
          ["embed", 0],
          ["embed", 0],
        ],
      )
    }).pipe(Effect.provide(ledgerLayer)),
  )

  it.live("keeps to a budget, and names rubbish", () =>
    Effect.gen(function* () {
      const server = yield* startServer(lengths)
      const limited = Effect.provide(
        embed(server.url, ["a", "b", "c"]),
        budgetLayer({ requests: 1 }),
      )
      assert.strictEqual((yield* Effect.flip(limited))._tag, "BudgetExhausted")
      for (const reply of [text("<html>"), json({ data: [] })]) {
        const rubbish = yield* startServer(reply)
        const error = yield* Effect.flip(embed(rubbish.url, ["a"]))
        assert.match(error.message, /did not answer with/)
      }
    }),
  )
})
