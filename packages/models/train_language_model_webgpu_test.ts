import { assert, it } from "@effect/vitest"
import { Device } from "@espalier/tensor"
import * as WebGpu from "@espalier/webgpu"
import { Effect } from "effect"
import { tinyLlama } from "./testing/tiny.ts"
import { trainLanguageModel } from "./train_language_model.ts"

// A software adapter takes half a minute: it is for CI, which asks for it.
const required = process.env["ESPALIER_REQUIRE_WEBGPU"] === "1"

const stream = Int32Array.from({ length: 300 }, (_, i) => [0, 1, 2, 0, 3, 4, 5][i % 7])

it.effect("trainLanguageModel in f16 learns on a GPU that has it, with adapters too", () =>
  Effect.gen(function* () {
    const { info } = yield* Device
    if (!info.dtypes.includes("f16")) return console.warn(`SKIPPED: no f16 on ${info.adapter}`)
    const model = tinyLlama({ vocabularySize: 6, layers: 1 })
    const options = { stream, window: 8, batch: 4, learningRate: 5e-3 }
    const half = { ...options, precision: "f16" as const }
    const [exact] = (yield* trainLanguageModel(model, { ...options, steps: 1 })).losses
    const { losses } = yield* trainLanguageModel(model, { ...half, steps: 30 })
    assert.notStrictEqual(losses[0], exact)
    assert.closeTo(losses[0], exact, 0.01 * exact)
    assert.isBelow(losses[29], 0.7 * exact)
    const lowRank = { rank: 4, kind: "dora" as const }
    const adapted = yield* trainLanguageModel(model, { ...half, steps: 30, lowRank })
    assert.closeTo(adapted.losses[0], exact, 0.01 * exact)
    assert.isBelow(adapted.losses[29], 0.9 * exact)
  }).pipe(
    Effect.provide(WebGpu.layer({ software: required ? "allow" : false })),
    Effect.catchTag("DeviceUnavailable", (error) =>
      required ? Effect.die(error) : Effect.sync(() => console.warn(`SKIPPED: ${error.message}`)),
    ),
  ),
)
