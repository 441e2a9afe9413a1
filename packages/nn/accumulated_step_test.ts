import { assert, describe, it } from "@effect/vitest"
import { HostArray, Interpreter } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { Effect } from "effect"
import { mapped, regression } from "./testing/regression.ts"
import { train } from "./train.ts"

const { optimizer: _, ...rest } = regression

/** Rows `4 · part` to `4 · part + 4` of the batch of 16 rows. */
const quarter = (step: number, part: number) => {
  const { x, y } = mapped(step, 16)
  const rows = ({ data }: HostArray.HostArray, width: number) =>
    HostArray.make([4, width], data.slice(part * 4 * width, (part + 1) * 4 * width))
  return { x: rows(x, 4), y: rows(y, 2) }
}

const options = { ...rest, optimizer: regression.optimizer, clip: 0.3, steps: 25 }
const large = { ...options, batch: (step: number) => mapped(step, 16) }
const small = { ...options, batch: quarter, accumulate: 4 }

describe("accumulation", () => {
  it.effect("of parts gives what the whole batch gives, in f64 to the last digits", () =>
    Effect.gen(function* () {
      const [whole, parts] = [yield* train(large), yield* train(small)]
      const close = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) =>
        a.forEach((value, i) => assert.closeTo(value, b[i], 1e-12))
      close(parts.losses, whole.losses)
      close(parts.gradientNorms, whole.gradientNorms)
      const [found, expected] = [parts, whole].map(({ parameters }) =>
        Array.from(parameters.layers[0].w.data),
      )
      close(found, expected)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it.effect("does so on a device within f32's rounding, and gives the same bits twice", () =>
    Effect.gen(function* () {
      const [whole, parts] = [yield* train(large), yield* train(small)]
      parts.losses.forEach((value, i) => assert.closeTo(value, whole.losses[i], 1e-5))
      assert.deepStrictEqual(parts, yield* train(small))
    }).pipe(Effect.provide(wasmLayer({ poison: true, threads: 1 }))),
  )

  it.effect("asks for every part of every step in order", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const batch = (step: number, part: number) => {
        asked.push(`${step}.${part}`)
        return quarter(step, part)
      }
      yield* train({ ...small, batch, steps: 2, accumulate: 3 })
      // The first gives the shapes.
      assert.deepStrictEqual(asked, ["1.0", "1.0", "1.1", "1.2", "2.0", "2.1", "2.2"])
    }).pipe(Effect.provide(Interpreter.layer)),
  )
})
