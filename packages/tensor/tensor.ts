import type { DType } from "./dtype.ts"
import { ShapeError } from "./errors.ts"
import type { Attributes, Operation } from "./ops/operation.ts"
import type { Shape } from "./shape.ts"

/** Shape and element type: all that is known of a tensor before it has values. */
export interface TensorType {
  readonly shape: Shape
  readonly dtype: DType
}

let nextId = 0

/**
 * A value of a traced program: an operation applied to other tensors. Immutable, and without
 * numbers of its own: it says how to compute them. Made by the functions of this package.
 */
export class Tensor implements TensorType {
  readonly id: number
  readonly operation: Operation
  readonly inputs: ReadonlyArray<Tensor>
  readonly attributes: Attributes
  readonly shape: Shape
  readonly dtype: DType

  constructor(operation: Operation, inputs: ReadonlyArray<Tensor>, attributes: Attributes) {
    this.id = nextId++
    this.operation = operation
    this.inputs = inputs
    this.attributes = attributes
    const { shape, dtype } = operation.infer(inputs, attributes)
    if (!shape.every((extent) => Number.isInteger(extent) && extent > 0)) {
      const shapes = [...inputs.map((input) => input.shape), shape]
      const problem = "every extent of the result must be a whole number of at least 1"
      throw new ShapeError({ operation: operation.name, shapes, problem })
    }
    this.shape = shape
    this.dtype = dtype
  }
}

/** Applies a row of the op table; shapes and dtypes are checked here. */
export const apply = <A extends Attributes>(
  operation: Operation<A>,
  inputs: ReadonlyArray<Tensor>,
  attributes: A,
): Tensor => new Tensor(operation as unknown as Operation, inputs, attributes)
