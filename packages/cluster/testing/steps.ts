import { appendFileSync, existsSync } from "node:fs"
import { ArtifactType, PipelineDevice, Step } from "@espalier/pipeline"
import { Checkpoint, Notices, Progress } from "@espalier/runtime"
import { Effect, FileSystem, Layer, Option, Schema } from "effect"

/** A device that computes nothing. */
export const testDevice = (fingerprint = "test") =>
  Layer.succeed(PipelineDevice, {
    kind: "wasm",
    adapter: "none",
    software: true,
    dispatches: () => 0,
    fingerprint,
  })

export class Spoiled extends Schema.TaggedError<Spoiled>()("Spoiled", { hint: Schema.String }) {
  override get message(): string {
    return "the milk is spoiled"
  }
}

const Text = ArtifactType.make({
  name: "Text",
  encode: (text: string) => Effect.succeed({ "text.txt": new TextEncoder().encode(text) }),
  decode: (files) => Effect.succeed(new TextDecoder().decode(files["text.txt"])),
})

/** Notes down that it was begun, where the test wants to know. */
const noteDown = (id: string) =>
  Effect.sync(() => {
    const file = process.env.ESPALIER_TEST_LOG
    if (file !== undefined)
      appendFileSync(file, `${Date.now()} ${process.ppid} ${process.pid} ${id}\n`)
  })

/** Whether a test has opened a gate, or is not there to open it. */
const isOpen = (gate: string) => {
  const file = process.env.ESPALIER_TEST_LOG
  return gate === "" || file === undefined || existsSync(`${file}-${gate}`)
}

const waitAt = (gate: string) =>
  Effect.gen(function* () {
    while (!isOpen(gate)) yield* Effect.sleep(20)
  })

/** Keeps the event loop busy meanwhile, as a kernel on the CPU does. */
const waitBusilyAt = (gate: string) =>
  Effect.sync(() => {
    while (!isOpen(gate));
  })

const work = Step.define({
  use: "test/work",
  description: "Waits at a gate that the test opens, busy or asleep.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    text: Schema.String,
    gate: Schema.String.pipe(Schema.withDecodingDefault(Effect.succeed(""))),
    busy: Schema.Boolean.pipe(Schema.withDecodingDefault(Effect.succeed(false))),
  }),
  operational: ["gate", "busy"],
  inputs: { before: { type: Text, optional: true } },
  outputs: { text: Text },
  usesSeed: true,
  usesDevice: true,
  run: ({ id, config, inputs, seed }) =>
    Effect.gen(function* () {
      yield* noteDown(id)
      yield* Notices.report(`${config.text} was asked for`)
      yield* Progress.report({ task: "working", completed: 1, total: 2 })
      yield* config.busy ? waitBusilyAt(config.gate) : waitAt(config.gate)
      const text = `${inputs.before ?? ""}${config.text}${seed}`
      return { outputs: { text }, metrics: { letters: text.length } }
    }),
})

const read = Step.define({
  use: "test/read",
  description: "Reads a file, or all files of a folder.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({ path: Schema.String }),
  paths: ["path"],
  outputs: { text: Text },
  run: ({ paths }) =>
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const isFolder = (yield* fileSystem.stat(paths.path)).type === "Directory"
      const names = isFolder
        ? (yield* fileSystem.readDirectory(paths.path)).toSorted().map((name) => `/${name}`)
        : [""]
      let text = ""
      for (const name of names) text += yield* fileSystem.readFileString(`${paths.path}${name}`)
      return { outputs: { text } }
    }),
})

const count = Step.define({
  use: "test/count",
  description: "Counts, remembers how far it is, and waits at a gate in the middle.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({ end: Schema.Int, gate: Schema.String }),
  operational: ["gate"],
  inputs: { before: { type: Text, optional: true } },
  outputs: { text: Text },
  run: ({ id, config, inputs }) =>
    Effect.gen(function* () {
      yield* noteDown(id)
      const saved = yield* Checkpoint.load("count")
      const first = Option.match(saved, { onNone: () => 0, onSome: ({ n }) => n[0] })
      for (let n = first; n < config.end; n++) {
        if (n === config.end / 2) {
          yield* noteDown(`${id}-halfway`)
          yield* waitAt(config.gate)
        }
        yield* Checkpoint.save("count", { n: Uint8Array.of(n + 1) })
      }
      const text = `${inputs.before ?? ""}${"x".repeat(config.end)}`
      return { outputs: { text }, metrics: { first } }
    }),
})

const fail = Step.define({
  use: "test/fail",
  description: "Fails, as a user's mistake, a bug or a crash.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({ how: Schema.Literals(["mistake", "bug", "crash"]) }),
  run: ({ config }) =>
    Effect.suspend(() => {
      if (config.how === "crash") process.kill(process.pid, "SIGKILL")
      return config.how === "mistake"
        ? Effect.fail(new Spoiled({ hint: "buy fresh milk" }))
        : Effect.die(new TypeError("undefined is not a function"))
    }),
})

export const steps = [work, read, count, fail]
