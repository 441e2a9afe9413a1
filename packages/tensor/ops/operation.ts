import type { DType, HostData } from "../dtype.ts"
import type { HostArray } from "../host_array.ts"
import type { Expression } from "../ir/expression.ts"
import type { ExpressionBuilder } from "../ir/expression_builder.ts"
import type { Combine } from "../ir/kernel.ts"
import type { Tensor, TensorType } from "../tensor.ts"
import type { Call } from "./call.ts"

/** What an operation is told beside its tensors: plain data, part of a program's identity. */
export type Attributes = Readonly<
  Record<string, number | string | boolean | ReadonlyArray<number> | HostData>
>

/** What a lowering sees of the node it lowers. */
export interface LowerContext<A> {
  readonly builder: ExpressionBuilder
  readonly attributes: A
  readonly inputs: ReadonlyArray<TensorType>
  readonly output: TensorType
}

/** How a row becomes kernel IR. */
export type Lowering<A> =
  /** A buffer that exists before the program runs. */
  | { readonly kind: "source" }
  /** One value from the values of all inputs at the same index. */
  | {
      readonly kind: "pointwise"
      readonly value: (context: LowerContext<A>, operands: ReadonlyArray<Expression>) => Expression
    }
  /** Values of the inputs at other indices: movement, gathers, and values made of the index alone. */
  | {
      readonly kind: "view"
      readonly value: (
        context: LowerContext<A>,
        index: ReadonlyArray<Expression>,
        at: (input: number, index: ReadonlyArray<Expression>) => Expression,
      ) => Expression
    }
  /** A fold over `axes` of the only input; `position` counts row-major over those axes. */
  | {
      readonly kind: "reduce"
      readonly axes: (attributes: A) => ReadonlyArray<number>
      readonly elements: (
        context: LowerContext<A>,
        value: Expression,
        position: Expression,
      ) => ReadonlyArray<Expression>
      readonly combine: (context: LowerContext<A>) => Combine
      readonly result: (
        context: LowerContext<A>,
        accumulators: ReadonlyArray<Expression>,
      ) => Expression
    }
  /** An inclusive running combination along the last axis of the only input. */
  | { readonly kind: "scan"; readonly combine: (context: LowerContext<A>) => Combine }
  /** `[batch…, m, k] · [batch…, k, n]`. */
  | { readonly kind: "contract" }
  /** Inputs `[rows, …]`, `i32 [updates]`, `[updates, …]`: rows replaced or added to. */
  | { readonly kind: "scatter"; readonly mode: "set" | "add" }
  /** Several results at once; each is a `result` of the call. */
  | { readonly kind: "call"; readonly call: Call }
  | { readonly kind: "result"; readonly index: number }

/** One input of an {@link Example}: values are drawn from `domain`, whole numbers for integers. */
export interface ExampleInput extends TensorType {
  readonly domain: readonly [number, number]
}

/** A concrete use of a row, from which conformance tests and gradient checks are made. */
export interface Example<A> {
  readonly inputs: ReadonlyArray<ExampleInput>
  readonly attributes: A
}

/** A row of the op table: everything Espalier knows about one operation. */
export interface Operation<A extends Attributes = Attributes> {
  readonly name: string
  /** One line for the documentation. */
  readonly summary: string
  readonly arity: number | "variadic"
  /** Shape and dtype rule; throws `ShapeError` or `DTypeError`. */
  infer(inputs: ReadonlyArray<TensorType>, attributes: A): TensorType
  /**
   * The gradients with respect to the inputs, given the gradient with respect to the output;
   * `undefined` where nothing flows back. `null` for an operation that has no gradient at all.
   */
  readonly gradient:
    | ((gradient: Tensor, node: Tensor, attributes: A) => ReadonlyArray<Tensor | undefined>)
    | null
  readonly lower: Lowering<A>
  /** The meaning, in plain JavaScript over `f64`: values of the output in row-major order. */
  reference(inputs: ReadonlyArray<HostArray>, attributes: A, output: TensorType): ArrayLike<number>
  readonly examples: ReadonlyArray<Example<A>>
  /** Largest error of an `f32` device relative to the largest value of the output. */
  readonly tolerance: number
}

/** Types a row by its attributes, then forgets them so that rows fit in one table. */
export const defineOperation = <A extends Attributes>(row: Operation<A>): Operation<A> => row

/** Shapes that find mistakes: scalars, one element, vector tails on both sides of 4 and 64. */
export const awkwardShapes: ReadonlyArray<ReadonlyArray<number>> = [
  [],
  [1],
  [3],
  [65],
  [2, 63],
  [3, 4, 5],
]

/** Examples of a pointwise row: every dtype with its domains at every awkward shape. */
export const pointwiseExamples = <A>(
  attributes: A,
  variants: ReadonlyArray<ReadonlyArray<{ dtype: DType; domain: readonly [number, number] }>>,
): ReadonlyArray<Example<A>> =>
  variants.flatMap((inputs) =>
    awkwardShapes.map((shape) => ({
      inputs: inputs.map((input) => ({ shape, ...input })),
      attributes,
    })),
  )
