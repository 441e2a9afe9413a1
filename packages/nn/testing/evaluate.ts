import { DeviceArray, HostArray, Interpreter, Program, Tensor } from "@espalier/tensor"
import { Effect } from "effect"

/** The values of a computation in `f64`. */
export const evaluate = (build: () => Tensor.Tensor) =>
  Program.evaluate(build).pipe(
    Effect.flatMap((array) => DeviceArray.toArray(array)),
    Effect.scoped,
    Effect.provide(Interpreter.layer),
  )

/** Deterministic numbers in [-1, 1). */
export const numbers = (length: number, seed = 1): Float64Array => {
  let state = seed >>> 0
  return Float64Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

const sizeOf = (shape: ReadonlyArray<number>) => shape.reduce((size, extent) => size * extent, 1)

/** A constant of a trace with deterministic numbers in [-1, 1), exact in `f64`. */
export const constant = (shape: ReadonlyArray<number>, seed = 1): Tensor.Tensor =>
  Tensor.fromHost(HostArray.make(shape, numbers(sizeOf(shape), seed)))

/** An array of the host with deterministic numbers in [-1, 1). */
export const hostNumbers = (shape: ReadonlyArray<number>, seed = 1): HostArray.HostArray =>
  HostArray.make(shape, Float32Array.from(numbers(sizeOf(shape), seed)))
