import { Spec, Tensor } from "@espalier/tensor"

/** Arrays by name that add up what a linear was given. */
export type Accumulators<A> = Readonly<Record<string, A>>

/** What is gathered from the inputs of a linear, batch by batch, on the device. */
export interface Statistic {
  readonly name: string
  /** Accumulators for a linear of this many inputs; they start at zero. */
  readonly specs: (inputs: number) => Accumulators<Spec>
  /** Adds a batch of inputs, [batch, length, inputs]. */
  readonly update: (
    accumulators: Accumulators<Tensor.Tensor>,
    input: Tensor.Tensor,
  ) => Accumulators<Tensor.Tensor>
}

/** Gathers nothing: for methods that look at the weights alone, or at whole blocks. */
export const nothing: Statistic = { name: "nothing", specs: () => ({}), update: () => ({}) }

/** `squares`, [inputs]: Σ x² of each input over every token. Wanda's statistic before the mean. */
export const squaredInputs: Statistic = {
  name: "squared inputs",
  specs: (inputs) => ({ squares: Spec.f32([inputs]) }),
  update: ({ squares }, input) => ({
    squares: Tensor.add(squares, Tensor.sum(Tensor.square(input), [0, 1])),
  }),
}
