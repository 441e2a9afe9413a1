/** Plain `f64` loops that look at the Hessian and at the pruned weights of a layer. */

/** Xᵀ · (X · v) for tokens X, [tokens, inputs]. */
export const hessianTimes = (x: Float32Array, v: Float32Array): Float64Array => {
  const inputs = v.length
  const result = new Float64Array(inputs)
  for (let from = 0; from < x.length; from += inputs) {
    let product = 0
    for (let j = 0; j < inputs; j++) product += x[from + j] * v[j]
    for (let j = 0; j < inputs; j++) result[j] += product * x[from + j]
  }
  return result
}

/** Xᵀ · X, [inputs, inputs]. */
export const hessianOf = (x: Float32Array, inputs: number): Float64Array => {
  const h = new Float64Array(inputs * inputs)
  for (let from = 0; from < x.length; from += inputs) {
    for (let i = 0; i < inputs; i++) {
      const factor = x[from + i]
      const row = i * inputs
      for (let j = i; j < inputs; j++) h[row + j] += factor * x[from + j]
    }
  }
  for (let i = 0; i < inputs; i++) {
    for (let j = 0; j < i; j++) h[i * inputs + j] = h[j * inputs + i]
  }
  return h
}

/** Outputs whose errors are computed, and into how many sums they go. */
const checkedOutputs = 128
const parts = 4

/** ‖w · X‖² of one row of weights. */
const squaredOutput = (row: Float64Array, x: Float32Array): number => {
  let squares = 0
  for (let from = 0; from < x.length; from += row.length) {
    let output = 0
    for (let j = 0; j < row.length; j++) output += row[j] * x[from + j]
    squares += output * output
  }
  return squares
}

/**
 * What pruned weights, [outputs, inputs], are worth: ‖(W − W₀) X‖² / ‖W₀ X‖² of each quarter of 128
 * outputs that are spread over all, then the share of zeros in each quarter of the inputs. Which
 * weights went does not show: ties fall differently in `f32` and `f64`, and that is no error.
 */
export const checkPruned = (
  pruned: ArrayLike<number>,
  dense: Float32Array,
  x: Float32Array,
  inputs: number,
): ReadonlyArray<number> => {
  const outputs = dense.length / inputs
  const step = Math.max(1, outputs / checkedOutputs)
  const each = outputs / step / parts
  const moved = new Array<number>(parts).fill(0)
  const whole = new Array<number>(parts).fill(0)
  for (let r = 0; r < outputs; r += step) {
    const part = Math.floor(r / step / each)
    const rowOf = (f: (at: number) => number) =>
      Float64Array.from({ length: inputs }, (_, j) => f(r * inputs + j))
    const change = rowOf((at) => pruned[at] - dense[at])
    moved[part] += squaredOutput(change, x)
    whole[part] += squaredOutput(
      rowOf((at) => dense[at]),
      x,
    )
  }
  const zeros = new Array<number>(parts).fill(0)
  for (let i = 0; i < pruned.length; i++) {
    if (pruned[i] === 0) zeros[Math.floor((i % inputs) / (inputs / parts))]++
  }
  return [
    ...moved.map((squares, part) => squares / whole[part]),
    ...zeros.map((count) => count / (pruned.length / parts)),
  ]
}
