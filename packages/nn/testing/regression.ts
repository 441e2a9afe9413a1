import { HostArray, Tensor } from "@espalier/tensor"
import { adamW } from "../adamw.ts"
import * as Layers from "../layers.ts"
import { constantRate } from "../schedules.ts"
import type { TrainOptions } from "../train_options.ts"
import { hostNumbers } from "./evaluate.ts"

/** What {@link regression} should find. */
export const weight = hostNumbers([2, 4], 99)

/** Inputs and the outputs of a fixed linear map, `rows` of each. */
export const mapped = (seed: number, rows = 8) => {
  const x = hostNumbers([rows, 4], seed)
  const y = Array.from({ length: 2 * rows }, (_, at) => {
    const [row, output] = [Math.floor(at / 2), at % 2]
    return [0, 1, 2, 3].reduce(
      (sum, i) => sum + x.data[row * 4 + i] * weight.data[output * 4 + i],
      0,
    )
  })
  return { x, y: HostArray.make([rows, 2], y) }
}

const parameters = {
  layers: [{ w: hostNumbers([2, 4], 1) }],
  bias: HostArray.make([2], [0.5, -0.5]),
}

/** A linear regression that has an exact answer. */
export const regression: TrainOptions<typeof parameters, ReturnType<typeof mapped>> = {
  name: "regression",
  parameters,
  batch: (step) => mapped(step),
  loss: ({ layers, bias }, { x, y }) => {
    const found = Tensor.add(Layers.linear(x, layers[0].w), bias)
    return Tensor.mean(Tensor.square(Tensor.sub(found, y)))
  },
  optimizer: adamW(),
  learningRate: constantRate(0.05),
  steps: 200,
}
