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
