import type { Device } from "@espalier/tensor"
import { DeviceArray, HostArray, Interpreter, Program, Tensor } from "@espalier/tensor"
import type { Layer } from "effect"
import { Effect } from "effect"

/** The values of a computation, in `f64` unless another device is given. */
export const evaluate = (
  build: () => Tensor.Tensor,
  device: Layer.Layer<Device, unknown> = Interpreter.layer,
) =>
  Program.evaluate(build).pipe(
    Effect.flatMap((array) => DeviceArray.toArray(array)),
    Effect.scoped,
    Effect.provide(device),
  )

/** A constant matrix of a trace. */
export const matrix = (rows: ReadonlyArray<ReadonlyArray<number>>): Tensor.Tensor =>
  Tensor.fromHost(HostArray.make([rows.length, rows[0].length], rows.flat()))

/** The rows of a row-major array. */
export const rowsOf = <A>(values: ReadonlyArray<A>, width: number): Array<ReadonlyArray<A>> =>
  Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width))

/** Deterministic numbers in [-1, 1). */
export const makeNumbers = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  }
}
