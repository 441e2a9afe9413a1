/** Plain `f64` loops that say what the small cases mean. */

/** [m, k] · [k, n] */
export const matmul = (
  a: Float32Array,
  b: Float32Array,
  m: number,
  k: number,
  n: number,
): Float64Array => {
  const c = new Float64Array(m * n)
  for (let i = 0; i < m; i++) {
    const row = c.subarray(i * n, (i + 1) * n)
    for (let l = 0; l < k; l++) {
      const factor = a[i * k + l]
      const from = l * n
      for (let j = 0; j < n; j++) row[j] += factor * b[from + j]
    }
  }
  return c
}

/** `f` of each row, written over it. */
export const byRows = (
  x: Float32Array,
  width: number,
  f: (row: Float64Array) => void,
): Float64Array => {
  const result = Float64Array.from(x)
  for (let from = 0; from < x.length; from += width) f(result.subarray(from, from + width))
  return result
}

export const softmaxRow = (row: Float64Array): void => {
  let largest = -Infinity
  for (const value of row) largest = Math.max(largest, value)
  let total = 0
  for (let i = 0; i < row.length; i++) total += row[i] = Math.exp(row[i] - largest)
  for (let i = 0; i < row.length; i++) row[i] /= total
}

/** (x − mean) / √(variance + ε) · gain + bias */
export const layerNormRow =
  (gain: Float32Array, bias: Float32Array, epsilon: number) =>
  (row: Float64Array): void => {
    let sum = 0
    for (const value of row) sum += value
    const mean = sum / row.length
    let squares = 0
    for (const value of row) squares += (value - mean) ** 2
    const scale = 1 / Math.sqrt(squares / row.length + epsilon)
    for (let i = 0; i < row.length; i++) row[i] = (row[i] - mean) * scale * gain[i] + bias[i]
  }

/** The error function: Taylor's series near 0, a continued fraction of its complement elsewhere. */
export const erf = (x: number): number => {
  const z = Math.abs(x)
  if (z > 6) return Math.sign(x)
  if (z < 2.5) {
    let term = z
    let sum = z
    for (let n = 1; Math.abs(term) > 1e-18 * sum; n++) {
      term *= (-z * z) / n
      sum += term / (2 * n + 1)
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI)
  }
  let fraction = 0
  for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction)
  const complement = Math.exp(-z * z) / (Math.sqrt(Math.PI) * (z + fraction))
  return Math.sign(x) * (1 - complement)
}

/** x · Φ(x) */
export const gelu = (x: number): number => 0.5 * x * (1 + erf(x * Math.SQRT1_2))
