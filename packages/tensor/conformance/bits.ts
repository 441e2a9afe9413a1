import { Effect } from "effect"
import { graphProgram } from "./agreement.ts"
import type { GraphRecipe } from "./graphs.ts"
import type { Device } from "../device.ts"
import * as DeviceArray from "../device_array.ts"
import { sha256 } from "../hash.ts"
import type { HostArray } from "../host_array.ts"
import * as Programs from "../program.ts"
import type { CheckError } from "./case.ts"
import { ConformanceFailure } from "./case.ts"

const bitsText = ({ data }: HostArray): string =>
  Array.from(new Uint32Array(data.buffer, data.byteOffset, data.byteLength / 4)).join(",")

/** A name for the exact values of arrays: equal only where every bit is. */
export const digest = (arrays: ReadonlyArray<HostArray>): string =>
  sha256(arrays.map(bitsText).join(";"))

type RunError = Exclude<CheckError, ConformanceFailure>

/** The bits that a random graph gives on the current device. */
export const graphDigest = (recipe: GraphRecipe): Effect.Effect<string, RunError, Device> =>
  Effect.gen(function* () {
    const { program, inputs } = graphProgram(recipe)
    const run = yield* Programs.compile(program)
    return digest(yield* DeviceArray.toHostTree(yield* run(inputs as never)))
  }).pipe(Effect.scoped)

/**
 * Runs two programs in turn, several times, both compiled at once; fails where one of them gives
 * other bits than it gives alone.
 */
export const checkInterleaved = (
  first: GraphRecipe,
  second: GraphRecipe,
): Effect.Effect<void, CheckError, Device> =>
  Effect.gen(function* () {
    const recipes = [first, second]
    const alone = yield* Effect.forEach(recipes, graphDigest)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const programs = recipes.map(graphProgram)
        const runs = yield* Effect.forEach(programs, ({ program }) => Programs.compile(program))
        for (let turn = 0; turn < 6; turn++) {
          const which = turn % 2
          const outputs = yield* runs[which](programs[which].inputs)
          const found = digest(yield* DeviceArray.toHostTree(outputs))
          // Every other time the memory goes back, so that the next run gets what was used.
          if (turn % 3 === 0) DeviceArray.release(outputs)
          if (found === alone[which]) continue
          return yield* Effect.fail(
            new ConformanceFailure({
              case: `random graph ${recipes[which].seed} between runs of another program`,
              output: 0,
              position: 0,
              expected: Number.NaN,
              found: Number.NaN,
              tolerance: 0,
            }),
          )
        }
      }),
    )
  })
