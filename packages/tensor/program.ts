import { Effect, Scope } from "effect"
import { Device } from "./device.ts"
import type { DeviceArray } from "./device_array.ts"
import { ownerOf } from "./device_array.ts"
import type { CompileError, OutOfMemory, UnsupportedDType } from "./errors.ts"
import type { Schedule } from "./ir/schedule.ts"
import { input as inputTensor } from "./ops/source.ts"
import type { Argument, RunError } from "./runner.ts"
import { Runner } from "./runner.ts"
import { makeSchedule } from "./schedule/schedule.ts"
import type { Spec } from "./spec.ts"
import type { Tensor } from "./tensor.ts"
import type { Mapped } from "./tree.ts"
import * as Tree from "./tree.ts"

export { explain } from "./explain.ts"
export { scan } from "./loop.ts"
export type { ScanOptions } from "./loop.ts"
export type { Argument, RunError } from "./runner.ts"
export { Scalar, Spec } from "./spec.ts"

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

/**
 * A program ready to run on one device. Outputs belong to the current scope. Inputs named in
 * `donate` (top-level keys of the input tree) are taken over: their memory is reused or freed, and
 * using them again fails with `ArrayGone`.
 */
export type Compiled<I, O> = (
  inputs: Mapped<I, Spec, Argument>,
  options?: { readonly donate?: ReadonlyArray<keyof I & string> },
) => Effect.Effect<Mapped<O, Tensor, DeviceArray>, RunError, Scope.Scope>

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
  const executable = yield* device.compile(program.schedule)
  const runner = new Runner(device, executable, program)
  return (inputs, options = {}) =>
    Effect.flatMap(Effect.flatMap(Scope.Scope, ownerOf), (owner) =>
      runner.run(inputs, options.donate ?? [], owner),
    ) as Effect.Effect<Mapped<O, Tensor, DeviceArray>, RunError, Scope.Scope>
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
