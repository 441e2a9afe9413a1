import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import {
  budgetLayer,
  cassetteLayer,
  hashedEmbeddings,
  openAi,
  scriptedLanguageModel,
} from "@espalier/llm"
import { Checkpoint, makeMemoryCheckpoints } from "@espalier/runtime"
import { startModelServer } from "@espalier/testing"
import { Effect, FileSystem, Layer, Path } from "effect"
import { FetchHttpClient } from "effect/http"
import { languageModelAgent } from "./language_model_agent.ts"
import { profileOf } from "./profile.ts"
import { runAgent } from "./run_agent.ts"
import { dateOf, makeMarket } from "./testing/market.ts"

const market = makeMarket(
  Array.from({ length: 12 }, (_, i) => ({
    price: 100 + i,
    news: [`story ${i} (sentiment:positive)`],
  })),
)
const window = { from: dateOf(0), to: dateOf(5) }
const agent = languageModelAgent({ profile: profileOf("btc") })
const embeddings = hashedEmbeddings({ dimensions: 32 })
const answer = (action: string, memoryIds: ReadonlyArray<number>) =>
  JSON.stringify({ action, reason: "It rises.", memoryIds })

layer(NodeServices.layer)("languageModelAgent", (it) => {
  it.effect(
    "shows what it remembers, marks memories that were made up, and holds without an answer",
    () => {
      const prompts: Array<string> = []
      const model = scriptedLanguageModel(({ text }) => {
        prompts.push(text)
        return text.includes("2023-01-03\n") ? "rubbish" : answer("buy", [1, 1, 77])
      })
      return Effect.gen(function* () {
        const { decisions } = yield* runAgent(agent, market, window)
        assert.deepStrictEqual(
          decisions.map(({ action }) => action),
          ["buy", "buy", "hold", "buy", "buy", "buy"],
        )
        assert.deepStrictEqual([decisions[0].cited, decisions[0].invented], [[1], [77]])
        assert.match(decisions[2].reason ?? "", /^No valid answer: /)
        // One repair was tried: the day was asked for twice.
        assert.strictEqual(prompts.length, 7)
        assert.match(prompts[0], /trader of Bitcoin \(BTC\)/)
        assert.match(prompts[0], /Date: 2023-01-01\nPrice: 100\n/)
        assert.match(prompts[0], /\[1\] 2023-01-01 story 0/)
        assert.match(
          prompts[1],
          /Position held up to now: long\nGained since the beginning: 1\.00 %/,
        )
        assert.notMatch(prompts.join("\n"), /Until the next entry the price/)
      }).pipe(Effect.provide(Layer.merge(model, embeddings)))
    },
  )

  it.effect("tells the outcome in the warm-up, and only there", () => {
    const model = scriptedLanguageModel(({ text }) => {
      assert.match(text, /Until the next entry the price rose: 0\.9\d %|rose: 1\.00 %/)
      return JSON.stringify({ reason: "News were good.", memoryIds: [1] })
    })
    return Effect.gen(function* () {
      const { decisions, state } = yield* runAgent(agent, market, window, { phase: "warm-up" })
      assert.isTrue(decisions.every(({ action }) => action === "buy"))
      assert.match(JSON.stringify(state), /News were good\. Then \+1\.0 %/)
    }).pipe(Effect.provide(Layer.merge(model, embeddings)))
  })

  it.effect(
    "stops where the budget ends, keeps the days that are done, and goes on with another",
    () => {
      const store = makeMemoryCheckpoints()
      const run = runAgent(agent, market, window, { checkpoint: "llm" }).pipe(
        Effect.provideService(Checkpoint, store),
      )
      const model = () => scriptedLanguageModel([answer("sell", [1])])
      return Effect.gen(function* () {
        const whole = yield* Effect.provide(
          runAgent(agent, market, window),
          Layer.merge(model(), embeddings),
        )
        const limited = model().pipe(Layer.provide(budgetLayer({ requests: 4 })))
        const error = yield* Effect.flip(Effect.provide(run, Layer.merge(limited, embeddings)))
        assert.strictEqual(error._tag, "BudgetExhausted")
        const resumed = yield* Effect.provide(run, Layer.merge(model(), embeddings))
        assert.strictEqual(resumed.resumed, 4)
        assert.strictEqual(JSON.stringify(resumed.decisions), JSON.stringify(whole.decisions))
        assert.strictEqual(JSON.stringify(resumed.state), JSON.stringify(whole.state))
      })
    },
  )

  it.effect("asks a server once, and a cassette from then on", () =>
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "espalier-trade-" })
      const file = path.join(folder, "cassette.jsonl")
      const server = yield* Effect.acquireRelease(
        Effect.promise(() => startModelServer(answer("buy", [1, 9]))),
        ({ stop }) => Effect.sync(stop),
      )
      const asked = (mode: "record" | "strict") => {
        const model = openAi({ model: "test", baseUrl: server.url }).pipe(
          Layer.provide(Layer.merge(cassetteLayer({ file, mode }), FetchHttpClient.layer)),
        )
        return Effect.provide(runAgent(agent, market, window), Layer.merge(model, embeddings))
      }
      const recorded = yield* asked("record")
      assert.strictEqual(server.requests.length, 6)
      const replayed = yield* asked("strict")
      assert.strictEqual(server.requests.length, 6)
      assert.strictEqual(JSON.stringify(replayed), JSON.stringify(recorded))
      assert.deepStrictEqual(recorded.decisions[0].invented, [9])
    }),
  )
})
