/**
 * The conformance suite: what every device has to get right, made from the op table. Device
 * packages run {@link cases} in their tests.
 *
 * @module
 */
import { Effect, Schema } from "effect"
import type { Device } from "./device.ts"
import { allocate, isFloat } from "./dtype.ts"
import * as DeviceArray from "./device_array.ts"
import type { HostArray } from "./host_array.ts"
import * as Interpreter from "./interpreter.ts"
import type { ExampleInput, Operation } from "./ops/operation.ts"
import { operations } from "./ops/table.ts"
import type { Program } from "./program.ts"
import * as Programs from "./program.ts"
import { Spec } from "./program.ts"
import { sizeOf } from "./shape.ts"
import type { Tensor } from "./tensor.ts"
import { apply } from "./tensor.ts"
import { composites } from "./conformance_composites.ts"

/** One program with its inputs and the values it has to give. */
export interface ConformanceCase {
  readonly name: string
  readonly program: Program<ReadonlyArray<Spec>, ReadonlyArray<Tensor>>
  readonly inputs: ReadonlyArray<HostArray>
  readonly expected: ReadonlyArray<HostArray>
  /** Largest error allowed, relative to the largest expected magnitude of each output. */
  readonly tolerance: number
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
    tolerance: Schema.Finite,
  },
) {
  override get message(): string {
    return `${this.case}: output ${this.output} at ${this.position} is ${this.found}, expected ${this.expected} within ${this.tolerance}`
  }
}

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

/** The cases of one row: all of its examples in one program. */
const rowCase = (row: Operation, seed: number): ConformanceCase => {
  const random = generator(seed)
  const examples = row.examples.filter(({ inputs }) => inputs.every((x) => x.dtype !== "f64"))
  const inputs = examples.map((example) => example.inputs.map((input) => draw(input, random)))
  const specs = inputs.flat().map(({ shape, dtype }) => new Spec(shape, dtype))
  const program = Programs.make(row.name, specs, (tensors) => {
    const list = tensors
    let next = 0
    return examples.map((example) => {
      const own = list.slice(next, (next += example.inputs.length))
      return apply(row, own, example.attributes)
    })
  })
  const expected = examples.map((example, i): HostArray => {
    const { shape, dtype } = row.infer(example.inputs, example.attributes)
    const values = row.reference(inputs[i], example.attributes, { shape, dtype })
    const data = isFloat(dtype) ? new Float64Array(values.length) : allocate(dtype, values.length)
    data.set(values)
    return { shape, dtype, data }
  })
  return { name: row.name, program, inputs: inputs.flat(), expected, tolerance: row.tolerance }
}

/** A case for each row of the op table, judged by the row's own reference. */
export const rowCases = (seed = 1): ReadonlyArray<ConformanceCase> =>
  operations.filter((row) => row.examples.length > 0).map((row, i) => rowCase(row, seed * 1000 + i))

/** Fused programs (softmax, norms, attention, gradients), judged by the `f64` interpreter. */
export const compositeCases = (
  seed = 1,
): Effect.Effect<
  ReadonlyArray<ConformanceCase>,
  Programs.RunError | Effect.Error<ReturnType<typeof Programs.compile>>
> =>
  Effect.forEach(composites, (composite, i) =>
    Effect.gen(function* () {
      const random = generator(seed * 7919 + i)
      const inputs = composite.inputs.map((input) => draw(input, random))
      const specs = inputs.map(({ shape, dtype }) => new Spec(shape, dtype))
      const program = Programs.make(composite.name, specs, (tensors) => composite.build(tensors))
      const run = yield* Programs.compile(program)
      const expected = yield* DeviceArray.toHostTree(yield* run(inputs as never))
      return {
        name: composite.name,
        program,
        inputs,
        expected: expected,
        tolerance: composite.tolerance,
      }
    }).pipe(Effect.scoped),
  ).pipe(Effect.provide(Interpreter.layer))

/** Finds the first value that is further from the expected one than the tolerance allows. */
export const compare = (
  name: string,
  output: number,
  found: HostArray,
  expected: HostArray,
  tolerance: number,
): ConformanceFailure | undefined => {
  let scale = 0
  for (const value of expected.data) {
    if (Number.isFinite(value)) scale = Math.max(scale, Math.abs(value))
  }
  const allowed = isFloat(expected.dtype) ? tolerance * Math.max(scale, 1e-30) : 0
  for (let position = 0; position < expected.data.length; position++) {
    const [x, y] = [found.data[position], expected.data[position]]
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

/**
 * Runs one case on the current device; fails with what differs first.
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
): Effect.Effect<
  void,
  ConformanceFailure | Programs.RunError | Effect.Error<ReturnType<typeof Programs.compile>>,
  Device
> =>
  Effect.gen(function* () {
    const { name, program, inputs, expected } = conformanceCase
    const run = yield* Programs.compile(program)
    const outputs = yield* DeviceArray.toHostTree(yield* run(inputs as never))
    for (const [i, found] of outputs.entries()) {
      const failure = compare(name, i, found, expected[i], tolerance)
      if (failure !== undefined) return yield* Effect.fail(failure)
    }
  }).pipe(Effect.scoped)
