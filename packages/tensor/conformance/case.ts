import { Effect, Schema } from "effect"
import type { Device } from "../device.ts"
import { allocate, isFloat } from "../dtype.ts"
import * as DeviceArray from "../device_array.ts"
import type { HostArray } from "../host_array.ts"
import type { ExampleInput } from "../ops/operation.ts"
import type { Program } from "../program.ts"
import * as Programs from "../program.ts"
import type { Spec } from "../program.ts"
import { sizeOf } from "../shape.ts"
import type { Tensor } from "../tensor.ts"

/** One program with its inputs and the values it has to give. */
export interface ConformanceCase {
  readonly name: string
  readonly program: Program<ReadonlyArray<Spec>, ReadonlyArray<Tensor>>
  readonly inputs: ReadonlyArray<HostArray>
  readonly expected: ReadonlyArray<HostArray>
  /** What each output is, for messages. */
  readonly labels?: ReadonlyArray<string>
  /** Largest error allowed, relative to the largest expected magnitude of each output. */
  readonly tolerance: number
  /** The tolerance is relative to each value instead. */
  readonly each?: boolean
  /** What errors of each output are relative to at least: sums of large numbers may be small. */
  readonly scales?: ReadonlyArray<number>
}

/** A device gave something else than the reference. */
export class ConformanceFailure extends Schema.TaggedError<ConformanceFailure>()(
  "ConformanceFailure",
  {
    case: Schema.String,
    output: Schema.Finite,
    position: Schema.Finite,
    expected: Schema.Number,
    found: Schema.Number,
    tolerance: Schema.Number,
  },
) {
  override get message(): string {
    return `${this.case}: output ${this.output} at ${this.position} is ${this.found}, expected ${this.expected} within ${this.tolerance}`
  }
}

/** What can go wrong while a case runs. */
export type CheckError =
  | ConformanceFailure
  | Programs.RunError
  | Effect.Error<ReturnType<typeof Programs.compile>>

/** A small seeded generator (mulberry32) of numbers in [0, 1). */
export const generator = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Values for one example input; floats are rounded to `f32` so that every device sees the same. */
export const draw = (input: ExampleInput, random: () => number): HostArray => {
  const data = allocate(input.dtype, sizeOf(input.shape))
  const [low, high] = input.domain
  for (let i = 0; i < data.length; i++) {
    data[i] = isFloat(input.dtype)
      ? Math.fround(low + (high - low) * random())
      : low + Math.floor((high - low + 1) * random())
  }
  return { shape: input.shape, dtype: input.dtype, data }
}

/** The largest finite magnitude among the values, at least `scale`. */
const scaleOf = ({ data }: HostArray, least = 0): number => {
  let scale = least
  for (const value of data) if (Number.isFinite(value)) scale = Math.max(scale, Math.abs(value))
  return scale
}

/**
 * Finds the first value that is further from the expected one than the tolerance allows: relative
 * to the largest expected magnitude (and to `least`), or to `each` value.
 */
export const compare = (
  name: string,
  output: number,
  found: HostArray,
  expected: HostArray,
  tolerance: number,
  { each = false, least = 1e-30 }: { readonly each?: boolean; readonly least?: number } = {},
): ConformanceFailure | undefined => {
  const share = isFloat(expected.dtype) ? tolerance : 0
  const whole = share * scaleOf(expected, least)
  for (let position = 0; position < expected.data.length; position++) {
    const [x, y] = [found.data[position], expected.data[position]]
    const allowed = each && Number.isFinite(y) ? share * Math.abs(y) : whole
    if (Object.is(x, y) || Math.abs(x - y) <= allowed) continue
    return new ConformanceFailure({
      case: name,
      output,
      position,
      expected: y,
      found: x,
      tolerance: allowed,
    })
  }
  return undefined
}

/** The largest difference relative to the largest expected magnitude. */
export const worstError = (found: HostArray, expected: HostArray, least = 1e-30): number => {
  let worst = 0
  for (const [position, y] of expected.data.entries()) {
    const x = found.data[position]
    if (!Object.is(x, y)) worst = Math.max(worst, Math.abs(x - y))
  }
  return worst / scaleOf(expected, least)
}

/**
 * Runs one case on the current device; fails with what differs first, else gives the largest error
 * relative to the largest magnitude of its output.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Interpreter } from "@espalier/tensor"
 * import * as Conformance from "@espalier/tensor/conformance"
 *
 * const all = Effect.forEach(Conformance.rowCases(), (one) => Conformance.check(one))
 * await Effect.runPromise(all.pipe(Effect.provide(Interpreter.layer)))
 * ```
 */
export const check = (
  conformanceCase: ConformanceCase,
  tolerance = conformanceCase.tolerance,
): Effect.Effect<number, CheckError, Device> =>
  Effect.gen(function* () {
    const { name, program, inputs, expected, labels, each = false, scales } = conformanceCase
    const run = yield* Programs.compile(program)
    const outputs = yield* DeviceArray.toHostTree(yield* run(inputs as never))
    let worst = 0
    for (const [i, found] of outputs.entries()) {
      const label = labels === undefined ? name : `${name}, ${labels[i]}`
      const least = scales?.[i] ?? 1e-30
      const failure = compare(label, i, found, expected[i], tolerance, { each, least })
      if (failure !== undefined) return yield* Effect.fail(failure)
      worst = Math.max(worst, worstError(found, expected[i], least))
    }
    return worst
  }).pipe(Effect.scoped)
