import type { DeviceArray } from "./device_array.ts"
import type { DType } from "./dtype.ts"
import type { HostArray } from "./host_array.ts"
import type { Shape } from "./shape.ts"
import type { Mapped } from "./tree.ts"
import * as Tree from "./tree.ts"

/**
 * Shape and dtype of one input of a program.
 *
 * @example
 * ```ts
 * import { HostArray, Spec } from "@espalier/tensor"
 *
 * const batch = { tokens: Spec.i32([8, 256]), weights: Spec.f32([8]) }
 * const like = Spec.of({ w: HostArray.make([2, 2], [1, 2, 3, 4]) })
 * console.log(like.w.shape) // [ 2, 2 ]
 * ```
 */
export class Spec {
  readonly shape: Shape
  readonly dtype: DType
  constructor(shape: Shape, dtype: DType) {
    this.shape = shape
    this.dtype = dtype
  }
  static f32(shape: Shape): Spec {
    return new Spec(shape, "f32")
  }
  static i32(shape: Shape): Spec {
    return new Spec(shape, "i32")
  }
  static u32(shape: Shape): Spec {
    return new Spec(shape, "u32")
  }
  static bool(shape: Shape): Spec {
    return new Spec(shape, "bool")
  }
  /** The spec of every array of a tree. */
  static of<T>(tree: T): Mapped<T, HostArray | DeviceArray, Spec> {
    return Tree.map<HostArray | DeviceArray, Spec, T>(
      tree,
      (leaf) => new Spec(leaf.shape, leaf.dtype),
    )
  }
}

/** A single `f32` number. */
export const Scalar: Spec = Spec.f32([])
