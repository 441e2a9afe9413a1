import { NodeServices } from "@effect/platform-node"
import { Notices } from "@espalier/runtime"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { EmbeddingModel, LanguageModel } from "effect/ai"
import { FetchHttpClient } from "effect/http"
import { spawn } from "node:child_process"
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import {
  openAi,
  openAiEmbeddings,
  scriptedLanguageModel,
  typedErrors,
  withSampling,
} from "../mod.ts"
import type { Script } from "../mod.ts"
import {
  completion,
  completionEvents,
  json,
  startServer,
  stream,
} from "../testing/loopback_server.ts"
import { Cassette, cassetteLayer, type CassetteMode } from "./cassette.ts"

const temporaryFile = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "cassette-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true })),
  ),
  (folder) => join(folder, "calls", "transcript.jsonl"),
)

const through =
  (file: string, mode: CassetteMode, script: Script = () => "live") =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    effect.pipe(
      typedErrors,
      Effect.provide([scriptedLanguageModel(script), cassetteLayer({ file, mode })]),
      Effect.provide(NodeServices.layer),
    )

const ask = (prompt: string) =>
  Effect.map(LanguageModel.generateText({ prompt }), ({ text }) => text)

const tell = (prompt: string) =>
  LanguageModel.streamText({ prompt }).pipe(
    Stream.map((part) => (part.type === "text-delta" ? part.delta : "")),
    Stream.runCollect,
    Effect.map((deltas) => deltas.join("")),
  )

const numbered: Script = ({ index }) => `answer ${index}`

describe("a cassette", () => {
  it.effect("records always, plays what it holds, asks for the rest and keeps it", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile
      const both = Effect.all([ask("a"), ask("b")])
      assert.deepStrictEqual(yield* through(file, "record", ["1", "2"])(both), ["1", "2"])
      assert.deepStrictEqual(yield* through(file, "strict")(both), ["1", "2"])
      const more = Effect.all([ask("a"), ask("c")])
      assert.deepStrictEqual(yield* through(file, "replay")(more), ["1", "live"])
      assert.deepStrictEqual(yield* through(file, "strict")(more), ["1", "live"])
      // A new recording takes the place of the earlier one.
      yield* through(file, "record", ["3"])(ask("a"))
      assert.strictEqual(yield* through(file, "strict")(ask("a")), "3")
    }),
  )

  it.effect("leaves the file alone where it is live", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile
      assert.strictEqual(yield* through(file, "live")(ask("a")), "live")
      assert.isFalse(existsSync(file))
    }),
  )

  it.effect("keeps apart how often a question was asked, and with which settings", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile
      const asked = Effect.all([
        ask("a"),
        ask("a"),
        withSampling({ temperature: 1 })(ask("a")),
        withSampling({ temperature: 1, seed: 2 })(ask("a")),
        tell("a"),
      ])
      const answers = [0, 1, 2, 3, 4].map((index) => `answer ${index}`)
      assert.deepStrictEqual(yield* through(file, "record", numbered)(asked), answers)
      assert.deepStrictEqual(yield* through(file, "strict")(asked), answers)
    }),
  )

  it.effect("that is strict names the first difference to the nearest request", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile
      const empty = yield* Effect.flip(through(file, "strict")(ask("a")))
      assert.match(empty.message, /it is empty/)
      yield* through(file, "record")(Effect.all([ask("the price of bread"), ask("rain")]))
      const other = yield* Effect.flip(through(file, "strict")(ask("the price of breath")))
      if (other._tag !== "CassetteMiss") return assert.fail(other._tag)
      assert.strictEqual(other.at, "/prompt/content/0/content")
      assert.match(other.recorded, /bread"$/)
      assert.match(other.asked, /breath"$/)
      assert.include(other.message, "--cassette-mode replay")
      const warmer = withSampling({ temperature: 0.5 })(ask("rain"))
      const setting = yield* Effect.flip(through(file, "strict")(warmer))
      assert.match(setting.message, /\/sampling/)
      const twice = yield* Effect.flip(
        through(file, "strict")(Effect.all([ask("rain"), ask("rain")])),
      )
      assert.match(twice.message, /its occurrence it is 2.* has 1/)
    }),
  )

  it.effect("plays streams, with all their parts", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile
      const parts = Stream.runCollect(LanguageModel.streamText({ prompt: "a" }))
      const recorded = yield* through(file, "record", ["one two three"])(parts)
      const played = yield* through(file, "strict")(parts)
      assert.strictEqual(JSON.stringify(played), JSON.stringify(recorded))
    }),
  )

  it.effect("does not keep a stream that was left in the middle", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile
      const left = LanguageModel.streamText({ prompt: "a" }).pipe(Stream.take(2), Stream.runDrain)
      yield* through(file, "record", ["one two three"])(left)
      assert.strictEqual(
        (yield* Effect.flip(through(file, "strict")(tell("a"))))._tag,
        "CassetteMiss",
      )
    }),
  )

  it.effect("tells and leaves out a torn line, and goes on after it", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile
      yield* through(file, "record", numbered)(Effect.all([ask("a"), ask("b")]))
      const whole = readFileSync(file, "utf8")
      writeFileSync(file, whole.slice(0, -20))
      const [answers, notices] = yield* Notices.collect(
        through(file, "replay", () => "again")(Effect.all([ask("a"), ask("b")])),
      )
      assert.deepStrictEqual(answers, ["answer 0", "again"])
      assert.match(notices[0], /line 2 is torn/)
      assert.deepStrictEqual(
        yield* through(file, "strict")(Effect.all([ask("a"), ask("b")])),
        answers,
      )
    }),
  )

  it.effect("refuses an answer that was edited into something else", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile
      yield* through(file, "record")(ask("a"))
      const line = JSON.parse(readFileSync(file, "utf8"))
      writeFileSync(file, `${JSON.stringify({ ...line, response: [{ type: "poem" }] })}\n`)
      const error = yield* Effect.flip(through(file, "strict")(ask("a")))
      assert.match(error.message, /damaged/)
    }),
  )

  it.effect("that cannot be read or written says which file and what to do", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile
      yield* through(file, "record")(ask("a"))
      const inFile = yield* Effect.flip(through(join(file, "below.jsonl"), "record")(ask("a")))
      assert.strictEqual(inFile._tag, "CassetteFileError")
      assert.include(inFile.message, "below.jsonl")
      assert.include(inFile.message, "--cassette")
    }),
  )

  it.effect("can be given where the model is made, or where it is used", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile
      const built = scriptedLanguageModel(() => "live").pipe(
        Layer.provide(cassetteLayer({ file, mode: "record" })),
      )
      yield* ask("a").pipe(Effect.provide(built), Effect.provide(NodeServices.layer))
      const used = yield* through(file, "strict")(ask("a"))
      assert.strictEqual(used, "live")
      assert.strictEqual(
        yield* Effect.map(Cassette, (nearest) => typeof nearest.recall),
        "function",
      )
    }),
  )
})

describe("secrets", () => {
  const key = "sk-planted/key+with=odd&signs"
  const other = "another-secret-of-mine"

  it.live("are in no transcript: from headers, URL, prompts, answers and streams", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile
      const leak = `the key is ${key}, in a URL ${encodeURIComponent(key)}, and ${other}`
      const server = yield* startServer(
        json(completion(leak)),
        stream([completionEvents("it is sk-planted", "/key+with", "=odd&signs, they say")]),
        json({ data: [{ index: 0, embedding: [1] }] }),
        json({ error: { message: `bad key ${key}` } }, 401),
      )
      const at = {
        baseUrl: `${server.url.replace("//", `//user:${encodeURIComponent(other)}@`)}/v1?api-key=${encodeURIComponent(key)}`,
        apiKey: Redacted.make(key),
      }
      const layers = Layer.mergeAll(
        openAi({ model: "m", ...at }),
        openAiEmbeddings({ model: "e", ...at }),
      ).pipe(Layer.provide(FetchHttpClient.layer))
      const prompt = `remember ${key} and ${JSON.stringify({ key })} and ${other}`
      const asked = Effect.gen(function* () {
        const text = yield* ask(prompt)
        const told = yield* tell(prompt)
        yield* (yield* EmbeddingModel.EmbeddingModel).embedMany([prompt])
        const error = yield* Effect.flip(ask("once more"))
        return { text, told, error }
      })
      const run = asked.pipe(
        Effect.provide([layers, cassetteLayer({ file, mode: "record" })]),
        Effect.provide(NodeServices.layer),
      )
      const { text, told, error } = yield* run
      assert.strictEqual(text, leak)
      assert.strictEqual(told, `it is ${key}, they say`)
      const transcript = readFileSync(file, "utf8")
      assert.strictEqual(transcript.trim().split("\n").length, 3)
      for (const seen of [transcript, error.message, JSON.stringify(error)]) {
        for (const secret of [key, encodeURIComponent(key), other, btoa(key), "sk-planted"]) {
          assert.notInclude(seen, secret)
        }
      }
      assert.include(transcript, "[redacted]")
      assert.strictEqual(
        server.seen[0].url,
        `/v1/chat/completions?api-key=${encodeURIComponent(key)}`,
      )
    }),
  )

  it.live("may change: a transcript plays with another key, and without one", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile
      const server = yield* startServer(json(completion("Hi.")))
      const play = (apiKey: string | undefined, mode: CassetteMode) =>
        ask(`my key is ${apiKey ?? "sk-0000000000000000000000"}`).pipe(
          Effect.provide([
            openAi({
              model: "m",
              baseUrl: server.url,
              ...(apiKey === undefined ? {} : { apiKey: Redacted.make(apiKey) }),
            }).pipe(Layer.provide(FetchHttpClient.layer)),
            cassetteLayer({ file, mode }),
          ]),
          Effect.provide(NodeServices.layer),
        )
      yield* play("first-key-0123456789", "record")
      assert.strictEqual(yield* play("second-key-9876543210", "strict"), "Hi.")
      assert.strictEqual(yield* play(undefined, "strict"), "Hi.")
      assert.strictEqual(server.seen.length, 1)
    }),
  )
})

describe("a killed process", () => {
  const program = fileURLToPath(new URL("../testing/record_forever.ts", import.meta.url))

  /** Records until so many calls are told, and dies without a word. */
  const recordAndDie = (file: string, name: string, calls: number) =>
    Effect.callback<ReadonlyArray<string>>((resume) => {
      const node = ["--conditions=@espalier/source", program, file, name]
      const child = spawn(process.execPath, node, { stdio: ["ignore", "pipe", "inherit"] })
      let told = ""
      child.stdout.on("data", (chunk: Buffer) => {
        told += chunk.toString("utf8")
        if (told.split("\n").length > calls) child.kill("SIGKILL")
      })
      child.on("close", () => resume(Effect.succeed(told.split("\n").slice(0, -1))))
    })

  it.live(
    "loses none of the calls that were made, nor those of another process",
    () =>
      Effect.gen(function* () {
        const file = yield* temporaryFile
        const first = yield* Effect.forkChild(recordAndDie(file, "left", 15))
        const second = yield* recordAndDie(file, "right", 25)
        const told = [...(yield* Fiber.join(first)), ...second]
        appendFileSync(file, '{"format":1,"key":"to')
        const asked = Effect.forEach(told, ask)
        const [answers, notices] = yield* Notices.collect(through(file, "strict")(asked))
        assert.isAtLeast(answers.length, 40)
        for (const [index, question] of told.entries()) {
          assert.isTrue(answers[index].startsWith(`answer to ${question} x`))
        }
        assert.match(notices.join("\n"), /torn/)
      }),
    60_000,
  )
})
