import { Effect, Scope } from "effect"
import { Device } from "./device.ts"
import type { DeviceBuffer } from "./device.ts"
import { DeviceArray, ownerOf, requireLive } from "./device_array.ts"
import type { DType } from "./dtype.ts"
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

/** Shape and dtype of one input of a program. */
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
  const schedule = makeSchedule(
    name,
    Tree.leaves<Tensor>(traced),
    Tree.leaves<Tensor>(outputs),
  )
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

const checkInput = (
  program: string,
  path: string,
  spec: Spec,
  value: Argument,
): Effect.Effect<Exclude<Argument, number>, InputMismatch | ArrayGone> => {
  if (typeof value === "number") {
    if (spec.shape.length === 0) return Effect.succeed(makeHost([], [value], spec.dtype))
  } else if (value.dtype === spec.dtype && sameShape(value.shape, spec.shape)) {
    return value instanceof DeviceArray ? requireLive(value) : Effect.succeed(value)
  }
  const found = typeof value === "number" ? "a number" : describe(value.dtype, value.shape)
  const expected = describe(spec.dtype, spec.shape)
  return Effect.fail(new InputMismatch({ program, input: path, expected, found }))
}

/**
 * Compiles a program for the current device. The compiled program and its working memory belong
 * to the current scope.
 */
export const compile = Effect.fn("Program.compile")(function* <I, O>(
  program: Program<I, O>,
): Effect.fn.Return<
  Compiled<I, O>,
  CompileError | OutOfMemory | UnsupportedDType,
  Device | Scope.Scope
> {
  const device = yield* Device
  const { schedule } = program
  const executable = yield* device.compile(schedule)
  const specs = Tree.entries(program.inputs) as ReadonlyArray<readonly [string, Spec]>
  const results = Tree.leaves<Tensor>(program.outputs)
  const inPlace = new Map(
    schedule.inPlace.map(({ output, input }) => [
      schedule.outputs.indexOf(output),
      schedule.inputs.indexOf(input),
    ]),
  )

  return Effect.fnUntraced(function* (inputs, options = {}) {
    const owner = yield* ownerOf(yield* Scope.Scope)
    const given = Tree.leaves<Argument>(inputs)
    const donated = new Set(options.donate ?? [])
    const temporary: Array<DeviceBuffer> = []
    const taken: Array<DeviceArray> = []
    const buffers: Array<DeviceBuffer> = []
    for (const [i, [path, spec]] of specs.entries()) {
      const value = yield* checkInput(program.name, path, spec, given[i]!)
      if (value instanceof DeviceArray) {
        buffers.push(value.buffer)
        if (donated.has(path.split(".")[0] as keyof I & string)) taken.push(value)
        continue
      }
      const buffer = yield* device.allocate(value.dtype, sizeOf(value.shape))
      temporary.push(buffer)
      yield* device.write(buffer, value.dtype, value.data)
      buffers.push(buffer)
    }
    // A donated array given twice is still one buffer: it may be handed on only once.
    const free = new Set(taken.map((array) => array.buffer))
    const outputs: Array<DeviceBuffer> = []
    for (const [i, { dtype, shape }] of results.entries()) {
      const from = inPlace.get(i)
      const reused = from === undefined ? undefined : buffers[from]
      if (reused !== undefined && free.delete(reused)) outputs.push(reused)
      else outputs.push(yield* device.allocate(dtype, sizeOf(shape)))
    }
    const arrays = results.map(
      ({ dtype, shape }, i) => new DeviceArray(device, outputs[i]!, shape, dtype, owner),
    )
    for (const array of taken) array.leave(`it was donated to ${program.name}`)
    yield* executable.run(buffers, outputs)
    for (const buffer of [...temporary, ...free]) device.free(buffer)
    return Tree.fill<Tensor, DeviceArray, O>(program.outputs as O, arrays)
  }) as Compiled<I, O>
})

/** Traces, compiles and runs once: for tests, examples and small jobs. */
export const evaluate = <O>(
  build: () => O,
): Effect.Effect<
  Mapped<O, Tensor, DeviceArray>,
  RunError | CompileError,
  Device | Scope.Scope
> =>
  Effect.flatMap(compile(make("evaluate", {}, build)), (run) => run({}))
