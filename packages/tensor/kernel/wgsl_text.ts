import type { DType } from "../dtype.ts"
import type { Expression } from "../ir/expression.ts"

/** A storage binding of a kernel, in the order of its `@binding` numbers. */
export interface Binding {
  readonly dtype: DType
  /** Number of elements. */
  readonly length: number
  readonly access: "read" | "read_write"
  /** Elements lie in memory as `vec4`; the kernel divides indices by four itself. */
  readonly vector?: boolean
  /** Elements of each `@binding` number, where the memory takes several; it is only read then. */
  readonly pageLength?: number
}

/**
 * What loop variables and arguments are called at one place of a kernel, and which expressions
 * already have a name there. Names of an outer frame hold in its inner ones.
 */
export interface Frame {
  readonly variables: ReadonlyArray<string>
  readonly arguments: ReadonlyArray<string>
  readonly names: Map<Expression, string>
}

/** WGSL type of a value. Comparisons need no conversion: `bool` is `bool` in registers. */
export const valueType = (dtype: DType): string => {
  if (dtype === "f64") throw new Error("WGSL has no f64")
  return dtype
}

/** WGSL type of an element in memory: `bool` is stored as `u32`. */
export const storageType = (dtype: DType): string => (dtype === "bool" ? "u32" : valueType(dtype))

const arrayType = ({ dtype, vector }: Binding, length: number): string =>
  vector === true
    ? `array<vec4<${storageType(dtype)}>, ${length / 4}>`
    : `array<${storageType(dtype)}, ${Math.max(1, length)}>`

/** The name of page `page` of binding `index`. */
const pageName = (index: number, page: number): string => `b${index}${page === 0 ? "" : `_${page}`}`

/** The declarations `b0`, `b1`, … of bindings. Further pages of `b0` are `b0_1`, `b0_2`, …. */
export const declareBindings = (bindings: ReadonlyArray<Binding>): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const [index, binding] of bindings.entries()) {
    const { access, length, pageLength = Math.max(1, length) } = binding
    for (let start = 0, page = 0; page === 0 || start < length; start += pageLength, page++) {
      const type = arrayType(binding, Math.min(pageLength, length - start))
      const place = `@group(0) @binding(${lines.length})`
      lines.push(`${place} var<storage, ${access}> ${pageName(index, page)}: ${type};`)
    }
  }
  return [...lines, ...bindings.flatMap(declarePages)]
}

/** A function that finds an element of a binding with pages. */
const declarePages = (binding: Binding, index: number): ReadonlyArray<string> => {
  const { dtype, length, pageLength = length } = binding
  if (pageLength >= length) return []
  const lines: Array<string> = []
  for (let page = 0; page * pageLength < length; page++) {
    const text = `return ${pageName(index, page)}[at - ${page * pageLength}];`
    const last = (page + 1) * pageLength >= length
    lines.push(last ? `  ${text}` : `  if (at < ${(page + 1) * pageLength}) { ${text} }`)
  }
  return [`fn paged_b${index}(at: i32) -> ${storageType(dtype)} {`, ...lines, "}"]
}

const floatDigits = (value: number): string => {
  const digits = String(value)
  return /[.e]/.test(digits) ? digits : `${digits}.0`
}

/** A constant as WGSL text; infinities and NaN come from `Writer.literal`. */
export const literal = (value: number, dtype: DType): string => {
  switch (dtype) {
    case "bool":
      return value === 0 ? "false" : "true"
    case "i32":
      return value === -2147483648 ? "i32(-2147483648)" : value < 0 ? `(${value})` : `${value}`
    case "u32":
      return `${value}u`
    default: {
      if (Object.is(value, -0)) return dtype === "f16" ? "f16(-0.0h)" : "bitcast<f32>(0x80000000u)"
      const limit = dtype === "f16" ? 65504 : 3.4028234663852886e38
      const kept = Math.fround(Math.min(limit, Math.max(-limit, value))) === 0 ? 0 : value
      const text = floatDigits(Math.min(limit, Math.max(-limit, kept)))
      const suffixed = `${text}${dtype === "f16" ? "h" : "f"}`
      return value < 0 ? `(${suffixed})` : suffixed
    }
  }
}
