// The command line over steps made for its tests.
import { DeviceUnavailable, PipelineDevice, Step } from "@espalier/pipeline"
import { HostFallbacks, Notices, Progress } from "@espalier/runtime"
import { Effect, Layer, Schema } from "effect"
import { Text } from "../artifacts/text.ts"
import { makeCli } from "../command_line/cli.ts"
import { runMain } from "../command_line/run_main.ts"
import { textLoad } from "../steps/text.ts"

class Spoiled extends Schema.TaggedError<Spoiled>()("Spoiled", { hint: Schema.String }) {
  override get message(): string {
    return "the milk is spoiled"
  }
}

const count = Step.define({
  use: "test/count",
  description: "Counts slowly.",
  version: 1,
  config: Schema.Struct({
    end: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000 })),
    milliseconds: Schema.Int.pipe(Schema.withDecodingDefault(Effect.succeed(0))),
  }),
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

const spoil = Step.define({
  use: "test/spoil",
  description: "Fails.",
  version: 1,
  config: Schema.Struct({}),
  outputs: { text: Text },
  run: () => Effect.fail(new Spoiled({ hint: "buy fresh milk" })),
})

const bug = Step.define({
  use: "test/bug",
  description: "Has a bug.",
  version: 1,
  config: Schema.Struct({}),
  run: () => Effect.die(new TypeError("undefined is not a function")),
})

runMain(
  makeCli({
    steps: [textLoad, count, spoil, bug],
    packages: () => ({ test: "1" }),
    device: (choice) =>
      choice === "webgpu"
        ? Layer.unwrap(
            new DeviceUnavailable({
              device: "webgpu",
              detail: "no adapter was found",
              hint: "use --device wasm",
            }),
          )
        : Layer.succeed(PipelineDevice, {
            kind: "wasm",
            adapter: "none",
            software: true,
            dispatches: () => 0,
            fingerprint: "wasm",
          }),
  }),
)
