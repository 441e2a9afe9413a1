import { Spec, Tensor } from "@espalier/tensor"

/** Arrays by name that add up what a linear was given. */
export type Accumulators<A> = Readonly<Record<string, A>>

/** One sum over batches of inputs; starts at zero. */
export interface Accumulator {
  readonly spec: Spec
  /** The sum with a batch of inputs, [batch, length, inputs], added. */
  readonly add: (sum: Tensor.Tensor, input: Tensor.Tensor) => Tensor.Tensor
}

/**
 * What is gathered from the inputs of a linear, batch by batch, on the device. Every accumulator is a
 * sum of its own, so that not all of them need be there twice at any time.
 */
export interface Statistic {
  readonly name: string
  /** Accumulators for a linear of this many inputs. */
  readonly accumulators: (inputs: number) => Accumulators<Accumulator>
}

/** Gathers nothing: for methods that look at the weights alone, or at whole blocks. */
export const nothing: Statistic = { name: "nothing", accumulators: () => ({}) }

/** `squares`, [inputs]: Σ x² of each input over every token. Wanda's statistic before the mean. */
export const squaredInputs: Statistic = {
  name: "squared inputs",
  accumulators: (inputs) => ({
    squares: {
      spec: Spec.f32([inputs]),
      add: (sum, input) => Tensor.add(sum, Tensor.sum(Tensor.square(input), [0, 1])),
    },
  }),
}
