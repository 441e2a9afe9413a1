import { Spec, Tensor } from "@espalier/tensor"

/** What is gathered from the inputs of a linear, batch by batch, on the device. */
export interface Statistic {
  readonly name: string
  /** Shape of the accumulator for a linear of this many inputs; it starts at zero. */
  readonly spec: (inputs: number) => Spec
  /** Adds a batch of inputs, [batch, length, inputs], to the accumulator. */
  readonly update: (accumulator: Tensor.Tensor, input: Tensor.Tensor) => Tensor.Tensor
}

/** Σ x² of each input over every token seen: shape [inputs]. Wanda's statistic before the mean. */
export const squaredInputs: Statistic = {
  name: "squared inputs",
  spec: (inputs) => Spec.f32([inputs]),
  update: (accumulator, input) => Tensor.add(accumulator, Tensor.sum(Tensor.square(input), [0, 1])),
}
