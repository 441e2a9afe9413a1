import type { DeviceArray as Arrays, HostArray as Hosts } from "@espalier/tensor"
import { DeviceArray, Program, Spec, Tensor } from "@espalier/tensor"
import { Effect } from "effect"
import type { Programs } from "./programs.ts"

const makeProgram = (outputs: number, inputs: number) =>
  Program.make(
    "layer error",
    {
      weight: Spec.f32([outputs, inputs]),
      target: Spec.f32([outputs, inputs]),
      hessian: Spec.f32([inputs, inputs]),
    },
    ({ weight, target, hessian }) => {
      const energy = (x: Tensor.Tensor) =>
        Tensor.sum(Tensor.sum(Tensor.mul(Tensor.matmul(x, hessian), x), [1]))
      return { error: energy(Tensor.sub(weight, target)), whole: energy(target) }
    },
  )

/**
 * ‖(W − W₀) X‖² / ‖W₀ X‖² over the calibration text: how much of what a layer computes is lost. Weights
 * are [outputs, inputs], the Hessian [inputs, inputs].
 */
export const layerError = Effect.fn("layerError")(function* (
  programs: Programs,
  weight: Hosts.HostArray,
  target: Hosts.HostArray,
  hessian: Arrays.DeviceArray,
) {
  const [outputs, inputs] = weight.shape as readonly [number, number]
  const key = `layer error ${outputs}x${inputs}`
  const run = yield* programs.get(key, () => makeProgram(outputs, inputs))
  const found = yield* run({ weight, target, hessian })
  const [error] = yield* DeviceArray.toArray(found.error)
  const [whole] = yield* DeviceArray.toArray(found.whole)
  return whole > 0 ? error / whole : 0
}, Effect.scoped)
