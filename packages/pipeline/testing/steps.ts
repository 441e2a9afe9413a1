import { Checkpoint, HostFallbacks, Notices, Progress } from "@espalier/runtime"
import { Effect, FileSystem, Option, Schema } from "effect"
import { ArtifactType, Metrics, Step } from "../mod.ts"

/** A failure of a step that a user could cause. */
export class Spoiled extends Schema.TaggedError<Spoiled>()("Spoiled", {
  what: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.what} is spoiled`
  }
}

const textFiles = {
  encode: (value: string) => Effect.succeed({ "text.txt": new TextEncoder().encode(value) }),
  decode: (files: Readonly<Record<string, Uint8Array>>) =>
    Effect.succeed(new TextDecoder().decode(files["text.txt"])),
}

export const Text = ArtifactType.make({ name: "Text", ...textFiles })
export const Picture = ArtifactType.make({ name: "Picture", ...textFiles })

/** How often each step has run in this process, by `use` and step name. */
export const runs = new Map<string, number>()
const count = (use: string, id: string) =>
  Effect.sync(() => {
    for (const name of [use, id]) runs.set(name, (runs.get(name) ?? 0) + 1)
  })

export const read = Step.define({
  use: "test/read",
  description: "Reads a file.",
  version: 1,
  config: Schema.Struct({ path: Schema.String, skip: Schema.optionalKey(Schema.Int) }),
  paths: ["path"],
  outputs: { text: Text },
  run: ({ id, config, paths }) =>
    Effect.gen(function* () {
      yield* count("test/read", id)
      const fileSystem = yield* FileSystem.FileSystem
      const text = yield* fileSystem.readFileString(paths.path)
      return { outputs: { text: text.slice(config.skip ?? 0) }, metrics: { letters: text.length } }
    }),
})

/** Upper case: different inputs may give the same output. */
export const shout = Step.define({
  use: "test/shout",
  description: "Makes letters large.",
  version: 1,
  config: Schema.Struct({
    times: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 })).pipe(
      Schema.withDecodingDefault(Effect.succeed(1)),
    ),
    fail: Schema.optionalKey(Schema.Boolean),
  }),
  inputs: { text: { type: Text } },
  outputs: { text: Text },
  usesDevice: true,
  run: ({ id, config, inputs }) =>
    Effect.gen(function* () {
      yield* count("test/shout", id)
      yield* HostFallbacks.record("LinearAlgebra")
      yield* Notices.report("some letters were large already")
      yield* Progress.report({ task: "shouting", completed: 1, total: 1 })
      if (config.fail) return yield* new Spoiled({ what: "the voice", hint: "drink tea" })
      return {
        outputs: { text: inputs.text.toUpperCase().repeat(config.times) },
        metrics: { times: config.times, perplexity: Infinity },
        files: { "poster.txt": "!" },
      }
    }),
})

export const split = Step.define({
  use: "test/split",
  description: "Cuts a text in two.",
  version: 1,
  config: Schema.Struct({}),
  inputs: { text: { type: Text } },
  outputs: { head: Text, tail: Text },
  usesSeed: true,
  run: ({ id, inputs, seed }) =>
    Effect.as(count("test/split", id), {
      outputs: { head: inputs.text.slice(0, seed), tail: inputs.text.slice(seed) },
    }),
})

export const measure = Step.define({
  use: "test/measure",
  description: "Counts letters.",
  version: 1,
  config: Schema.Struct({}),
  inputs: { text: { type: Text }, other: { type: Text, optional: true } },
  run: ({ id, inputs }) =>
    Effect.as(count("test/measure", id), {
      metrics: { letters: inputs.text.length + (inputs.other?.length ?? 0) },
    }),
})

export const table = Step.define({
  use: "test/table",
  description: "Puts metrics side by side.",
  version: 1,
  config: Schema.Struct({}),
  inputs: { rows: { type: Metrics, many: true }, best: { type: Metrics, optional: true } },
  run: ({ id, inputs }) =>
    Effect.as(count("test/table", id), {
      metrics: Object.fromEntries(inputs.rows.map(({ name, value }) => [name, value.letters])),
    }),
})

export const paint = Step.define({
  use: "test/paint",
  description: "Makes a picture.",
  version: 1,
  config: Schema.Struct({}),
  outputs: { picture: Picture },
  run: () => Effect.succeed({ outputs: { picture: "art" } }),
})

/** Counts to `end`, saving after each number; dies where told to. */
export const slow = Step.define({
  use: "test/slow",
  description: "Counts slowly and resumes.",
  version: 1,
  config: Schema.Struct({
    end: Schema.Int,
    milliseconds: Schema.Int.pipe(Schema.withDecodingDefault(Effect.succeed(1))),
    bug: Schema.optionalKey(Schema.Boolean),
  }),
  operational: ["milliseconds"],
  outputs: { text: Text },
  run: ({ id, config }) =>
    Effect.gen(function* () {
      yield* count("test/slow", id)
      if (config.bug) return yield* Effect.die(new TypeError("the counter has no teeth"))
      const saved = yield* Checkpoint.load("count")
      const first = Option.match(saved, { onNone: () => 0, onSome: (files) => files.n[0] })
      for (let n = first; n < config.end; n++) {
        yield* Effect.sleep(config.milliseconds)
        yield* Checkpoint.save("count", { n: Uint8Array.of(n + 1) })
        yield* Progress.report({ task: "counting", completed: n + 1, total: config.end })
      }
      return { outputs: { text: "x".repeat(config.end) }, metrics: { first } }
    }),
})

export const steps = [read, shout, split, measure, table, paint, slow]
