/** The product with a packed weight, as the kernels see it. */
export interface PackedSizes {
  /** Rows of x. */
  readonly rows: number
  /** Fours of outputs. */
  readonly tiles: number
  /** Fours of inputs. */
  readonly groups: number
}
