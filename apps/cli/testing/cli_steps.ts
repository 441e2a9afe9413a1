// Steps for the tests of the command line.
import { Step } from "@espalier/pipeline"
import { HostFallbacks, Notices, Progress } from "@espalier/runtime"
import { Effect, Schema } from "effect"
import { Text } from "../artifacts/text.ts"

class Spoiled extends Schema.TaggedError<Spoiled>()("Spoiled", { hint: Schema.String }) {
  override get message(): string {
    return "the milk is spoiled"
  }
}

export const count = Step.define({
  use: "test/count",
  description: "Counts slowly.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({
    end: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000 })),
    milliseconds: Schema.Int.pipe(Schema.withDecodingDefault(Effect.succeed(0))),
  }),
  operational: ["milliseconds"],
  inputs: { text: { type: Text, optional: true } },
  outputs: { text: Text },
  usesDevice: true,
  run: ({ config }) =>
    Effect.gen(function* () {
      for (let n = 0; n < config.end; n++) {
        yield* Progress.report({
          task: "counting",
          completed: n,
          total: config.end,
          unit: "numbers",
        })
        yield* Effect.sleep(config.milliseconds)
      }
      yield* HostFallbacks.record("LinearAlgebra")
      yield* Notices.report("asked for 7 windows, there are 3")
      return {
        outputs: { text: { documents: [`${config.end}`] } },
        metrics: { perplexity: config.end / 7, sparsity: { overall: 0.5, layers: {} } },
      }
    }),
})

export const spoil = Step.define({
  use: "test/spoil",
  description: "Fails.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({}),
  outputs: { text: Text },
  run: () => Effect.fail(new Spoiled({ hint: "buy fresh milk" })),
})

export const bug = Step.define({
  use: "test/bug",
  description: "Has a bug.",
  version: 1,
  module: import.meta.url,
  config: Schema.Struct({}),
  run: () => Effect.die(new TypeError("undefined is not a function")),
})
