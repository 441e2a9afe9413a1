import { Effect, Scope } from "effect"
import { Device } from "./device.ts"
import type { DeviceBuffer, DeviceService } from "./device.ts"
import { DeviceArray, ownerOf, requireLive } from "./device_array.ts"
import type { DType, HostData } from "./dtype.ts"
import { isFloat } from "./dtype.ts"
import type {
  ArrayGone,
  CompileError,
  DeviceLost,
  OutOfMemory,
  UnsupportedDType,
} from "./errors.ts"
import { InputMismatch } from "./errors.ts"
import type { HostArray } from "./host_array.ts"
import { make as makeHost } from "./host_array.ts"
import type { Schedule } from "./ir/schedule.ts"
import { input as inputTensor } from "./ops/source.ts"
import { makeSchedule } from "./schedule/schedule.ts"
import type { Shape } from "./shape.ts"
import { sameShape, sizeOf } from "./shape.ts"
import type { Tensor } from "./tensor.ts"
import type { Mapped } from "./tree.ts"
import * as Tree from "./tree.ts"

export { explain } from "./explain.ts"

/**
 * Shape and dtype of one input of a program.
 *
 * @example
 * ```ts
 * import { HostArray, Spec } from "@espalier/tensor"
 *
 * const batch = { tokens: Spec.i32([8, 256]), weights: Spec.f32([8]) }
 * const like = Spec.of({ w: HostArray.make([2, 2], [1, 2, 3, 4]) })
 * console.log(like.w.shape) // [ 2, 2 ]
 * ```
 */
export class Spec {
  readonly shape: Shape
  readonly dtype: DType
  constructor(shape: Shape, dtype: DType) {
    this.shape = shape
    this.dtype = dtype
  }
  static f32(shape: Shape): Spec {
    return new Spec(shape, "f32")
  }
  static i32(shape: Shape): Spec {
    return new Spec(shape, "i32")
  }
  static u32(shape: Shape): Spec {
    return new Spec(shape, "u32")
  }
  static bool(shape: Shape): Spec {
    return new Spec(shape, "bool")
  }
  /** The spec of every array of a tree. */
  static of<T>(tree: T): Mapped<T, HostArray | DeviceArray, Spec> {
    return Tree.map<HostArray | DeviceArray, Spec, T>(
      tree,
      (leaf) => new Spec(leaf.shape, leaf.dtype),
    )
  }
}

/** A single `f32` number. */
export const Scalar: Spec = Spec.f32([])

/** What a compiled program accepts for an input: an array of the device, of the host, or a number. */
export type Argument = DeviceArray | HostArray | number

/** A traced computation: shapes checked, nothing run. Made by {@link make}. */
export interface Program<I, O> {
  readonly name: string
  /** Tree of {@link Spec}. */
  readonly inputs: I
  /** Tree of tensors. */
  readonly outputs: O
  /** The kernels and memory it becomes; `schedule.hash` is its identity. */
  readonly schedule: Schedule
}

/**
 * Traces `build` once with a tensor for each leaf of `inputs`.
 *
 * Throws `ShapeError`, `DTypeError` or `NoGradient` where the computation does not fit together.
 *
 * @example
 * ```ts
 * import { Program, Spec, Tensor } from "@espalier/tensor"
 *
 * const program = Program.make("double", { x: Spec.f32([4]) }, ({ x }) => Tensor.add(x, x))
 * ```
 */
export const make = <I, O>(
  name: string,
  inputs: I,
  build: (inputs: Mapped<I, Spec, Tensor>) => O,
): Program<I, O> => {
  let index = 0
  const traced = Tree.map<Spec, Tensor, I>(inputs, (spec, path) =>
    inputTensor(index++, path, spec.shape, spec.dtype),
  )
  const outputs = build(traced)
  const schedule = makeSchedule(name, Tree.leaves<Tensor>(traced), Tree.leaves<Tensor>(outputs))
  return { name, inputs, outputs, schedule }
}

/** Everything that can go wrong while a compiled program runs. */
export type RunError = ArrayGone | InputMismatch | DeviceLost | OutOfMemory | UnsupportedDType

/**
 * A program ready to run on one device. Outputs belong to the current scope. Inputs named in
 * `donate` (top-level keys of the input tree) are taken over: their memory is reused or freed, and
 * using them again fails with `ArrayGone`.
 */
export type Compiled<I, O> = (
  inputs: Mapped<I, Spec, Argument>,
  options?: { readonly donate?: ReadonlyArray<keyof I & string> },
) => Effect.Effect<Mapped<O, Tensor, DeviceArray>, RunError, Scope.Scope>

const describe = (dtype: DType, shape: Shape): string => `${dtype} [${shape.join(", ")}]`

/** A number as an array of shape `[]`, rounded no more than the device does. */
const oneNumber = (value: number, dtype: DType): HostArray => {
  const data: HostData | ReadonlyArray<number> = isFloat(dtype) ? Float64Array.of(value) : [value]
  return makeHost([], data, dtype)
}

const describeArgument = (value: unknown): string => {
  if (value === undefined) return "nothing"
  if (typeof value === "number") return "a number"
  const { dtype, shape } = value as HostArray
  return describe(dtype, shape)
}

/** Why `value` cannot be given for an input of `spec`, or `undefined` where it can. */
const mismatch = (spec: Spec, value: Argument, device: DeviceService): string | undefined => {
  if (typeof value === "number") return spec.shape.length === 0 ? undefined : "a number"
  const found = describeArgument(value)
  if (value.dtype !== spec.dtype || !sameShape(value.shape, spec.shape)) return found
  if (value instanceof DeviceArray) {
    if (value.device === device) return undefined
    return `${found} of another device (${value.device.info.kind})`
  }
  const { length } = value.data
  return length === sizeOf(spec.shape) ? undefined : `${found} with ${length} values`
}

/** The arguments in the order of the specs, or what is missing or too much. */
const matchInputs = (
  program: string,
  specs: ReadonlyArray<readonly [string, Spec]>,
  inputs: unknown,
): Effect.Effect<ReadonlyArray<Argument>, InputMismatch> => {
  const given = Tree.entries(inputs) as ReadonlyArray<readonly [string, Argument]>
  const fits = given.length === specs.length && given.every(([path], i) => path === specs[i][0])
  if (fits) return Effect.succeed(given.map(([, value]) => value))
  const names = new Set(given.map(([path]) => path))
  const missing = specs.find(([path]) => !names.has(path))
  if (missing !== undefined) {
    const [input, { dtype, shape }] = missing
    const expected = describe(dtype, shape)
    return Effect.fail(new InputMismatch({ program, input, expected, found: "nothing" }))
  }
  const known = new Set(specs.map(([path]) => path))
  const [input, value] = given.find(([path]) => !known.has(path)) ?? given.at(-1)!
  const found = describeArgument(value)
  return Effect.fail(new InputMismatch({ program, input, expected: "nothing", found }))
}

/**
 * Compiles a program for the current device. The compiled program and its working memory belong
 * to the current scope.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { HostArray, Interpreter, Program, Spec, Tensor } from "@espalier/tensor"
 *
 * const double = Program.make("double", { x: Spec.f32([3]) }, ({ x }) => Tensor.add(x, x))
 * const doubled = Effect.gen(function* () {
 *   const run = yield* Program.compile(double)
 *   return yield* Tensor.toArray(yield* run({ x: HostArray.make([3], [1, 2, 3]) }))
 * }).pipe(Effect.scoped, Effect.provide(Interpreter.layer))
 * console.log(await Effect.runPromise(doubled)) // [ 2, 4, 6 ]
 * ```
 */
export const compile = Effect.fn("Program.compile")(function* <I, O>(
  program: Program<I, O>,
): Effect.fn.Return<
  Compiled<I, O>,
  CompileError | OutOfMemory | UnsupportedDType,
  Device | Scope.Scope
> {
  const device = yield* Device
  const { name, schedule } = program
  const executable = yield* device.compile(schedule)
  const specs = Tree.entries(program.inputs) as ReadonlyArray<readonly [string, Spec]>
  const results = Tree.leaves<Tensor>(program.outputs)
  const inPlace = new Map(
    schedule.inPlace.map(({ output, input }) => [
      schedule.outputs.indexOf(output),
      schedule.inputs.indexOf(input),
    ]),
  )
  const read = new Set(schedule.steps.flatMap((step) => step.buffers))
  const pathsUnder = (key: keyof I & string): ReadonlyArray<string> =>
    Tree.entries(program.inputs[key], key).map(([path]) => path)

  return Effect.fnUntraced(function* (inputs, options = {}) {
    const owner = yield* ownerOf(yield* Scope.Scope)
    const values = yield* matchInputs(name, specs, inputs)
    const donated = new Set((options.donate ?? []).flatMap(pathsUnder))
    for (const [i, [path, spec]] of specs.entries()) {
      const value = values[i]
      const found = mismatch(spec, value, device)
      if (found !== undefined) {
        const expected = describe(spec.dtype, spec.shape)
        return yield* Effect.fail(
          new InputMismatch({ program: name, input: path, expected, found }),
        )
      }
      if (value instanceof DeviceArray) yield* requireLive(value)
    }

    /** Buffers that belong to this run until it hands them on. */
    const held = new Set<DeviceBuffer>()
    const claim = (dtype: DType, length: number) =>
      Effect.map(device.allocate(dtype, length), (buffer) => {
        held.add(buffer)
        return buffer
      })
    const runOnce = Effect.gen(function* () {
      const buffers: Array<DeviceBuffer> = []
      const donations: Array<DeviceArray> = []
      for (const [i, [path, spec]] of specs.entries()) {
        const value = values[i]
        if (value instanceof DeviceArray) {
          buffers.push(value.buffer)
          if (donated.has(path)) donations.push(value)
          continue
        }
        const host = typeof value === "number" ? oneNumber(value, spec.dtype) : value
        // A host array that no kernel reads stays on the host: one element stands for it.
        const isRead = read.has(schedule.inputs[i])
        const buffer = yield* claim(host.dtype, isRead ? sizeOf(host.shape) : 1)
        buffers.push(buffer)
        if (isRead) yield* device.write(buffer, host.dtype, host.data)
      }
      // Memory is handed on only where nobody else looks at it: not when it is given for two inputs.
      const reusable = new Set(
        donations
          .map((array) => array.buffer)
          .filter((buffer) => buffers.indexOf(buffer) === buffers.lastIndexOf(buffer)),
      )
      const outputs: Array<DeviceBuffer> = []
      for (const [i, { dtype, shape }] of results.entries()) {
        const from = inPlace.get(i)
        const buffer = from === undefined ? undefined : buffers[from]
        if (buffer !== undefined && reusable.delete(buffer)) outputs.push(buffer)
        else outputs.push(yield* claim(dtype, sizeOf(shape)))
      }
      for (const array of donations) {
        array.leave(`it was donated to ${name}`)
        held.add(array.buffer)
      }
      yield* executable.run(buffers, outputs)
      return outputs.map((buffer, i) => {
        held.delete(buffer)
        const { shape, dtype } = results[i]
        return new DeviceArray(device, buffer, shape, dtype, owner)
      })
    })
    const giveBack = Effect.sync(() => {
      for (const buffer of held) device.free(buffer)
    })
    const arrays = yield* Effect.ensuring(runOnce, giveBack)
    return Tree.fill<Tensor, DeviceArray, O>(program.outputs, arrays)
  }) as Compiled<I, O>
})

/**
 * Traces, compiles and runs once: for tests, examples and small jobs.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Interpreter, Program, Tensor } from "@espalier/tensor"
 *
 * const sum = Program.evaluate(() => Tensor.sum(Tensor.iota([5], 0))).pipe(
 *   Effect.flatMap(Tensor.toArray),
 *   Effect.scoped,
 *   Effect.provide(Interpreter.layer),
 * )
 * console.log(await Effect.runPromise(sum)) // [ 10 ]
 * ```
 */
export const evaluate = <O>(
  build: () => O,
): Effect.Effect<Mapped<O, Tensor, DeviceArray>, RunError | CompileError, Device | Scope.Scope> =>
  Effect.flatMap(compile(make("evaluate", {}, build)), (run) => run({}))
