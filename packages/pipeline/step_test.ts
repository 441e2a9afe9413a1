import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Schema } from "effect"
import { ArtifactType, Metrics } from "./artifact.ts"
import { Step } from "./step.ts"

class Engine extends Context.Service<Engine, { readonly speed: number }>()("test/Engine") {}
class Codec extends Context.Service<Codec, { readonly radix: number }>()("test/Codec") {}

const Text = ArtifactType.make({
  name: "Text",
  encode: (value: string) => Effect.succeed({ "text.txt": new TextEncoder().encode(value) }),
  decode: (files) => Effect.succeed(new TextDecoder().decode(files["text.txt"])),
})

const Coded = ArtifactType.make({
  name: "Coded",
  encode: (value: number) =>
    Effect.map(Codec, ({ radix }) => ({ n: new TextEncoder().encode(value.toString(radix)) })),
  decode: (files) =>
    Effect.map(Codec, ({ radix }) => Number.parseInt(new TextDecoder().decode(files.n), radix)),
})

describe("Step.define", () => {
  it.effect("infers configuration, inputs, paths, outputs and services", () =>
    Effect.gen(function* () {
      const step: Step<Engine | Codec> = Step.define({
        use: "test/all",
        description: "Uses everything.",
        version: 1,
        config: Schema.Struct({
          path: Schema.String,
          other: Schema.optionalKey(Schema.String),
          times: Schema.Int,
        }),
        paths: ["path", "other"],
        inputs: {
          text: { type: Text },
          extra: { type: Text, optional: true },
          rows: { type: Metrics, many: true },
        },
        outputs: { count: Coded },
        run: ({ config, inputs, paths, seed }) =>
          Effect.gen(function* () {
            const { speed } = yield* Engine
            yield* Effect.addFinalizer(() => Effect.void)
            const text: string = inputs.text
            const extra: string | undefined = inputs.extra
            const rows: ReadonlyArray<{ name: string; value: { [name: string]: unknown } }> =
              inputs.rows.map(({ name, value }) => ({ name, value }))
            const path: string = paths.path
            const other: string | undefined = paths.other
            return {
              outputs: { count: text.length * config.times * speed + seed },
              metrics: { extra: extra === undefined, rows: rows.length, path, other },
            }
          }),
      })
      const result = yield* step
        .execute({
          id: "s",
          config: { path: "p", times: 2 },
          inputs: { text: "four", rows: [] },
          seed: 1,
          paths: { path: "/p", other: undefined },
        })
        .pipe(
          Effect.provideService(Engine, { speed: 3 }),
          Effect.provideService(Codec, { radix: 2 }),
        )
      assert.deepStrictEqual(result.outputs, { count: 25 })
      assert.deepStrictEqual(result.metrics, {
        extra: true,
        rows: 0,
        path: "/p",
        other: undefined,
      })
    }),
  )

  it("refuses a key that is both input and configuration, and an output named metrics", () => {
    const make = (config: Schema.Struct.Fields, outputs: Record<string, typeof Text>) =>
      Step.define({
        use: "test/bad",
        description: "",
        version: 1,
        config: Schema.Struct(config) as Schema.Struct<Record<string, typeof Schema.String>>,
        inputs: { text: { type: Text } },
        outputs,
        run: () => Effect.succeed({ outputs: {} }),
      })
    assert.throws(() => make({ text: Schema.String }, {}), /both|input and a configuration/)
    assert.throws(() => make({}, { metrics: Text }), /reserved/)
  })
})
