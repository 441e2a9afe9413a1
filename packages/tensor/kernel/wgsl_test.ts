import { describe, expect, it } from "@effect/vitest"
import { ExpressionBuilder } from "../ir/expression_builder.ts"
import type { Expression } from "../ir/expression.ts"
import type { DType } from "../dtype.ts"
import * as Wgsl from "./wgsl.ts"

const frame = (variables: ReadonlyArray<string> = ["v0"]): Wgsl.Frame => ({
  variables,
  arguments: ["acc"],
  names: new Map(),
})

/** The statements and the value that `make` becomes, over two `f32` buffers. */
const write = (make: (b: ExpressionBuilder) => Expression, dtype: DType = "f32") => {
  const writer = new Wgsl.Writer(
    [
      { dtype, length: 8, access: "read" },
      { dtype, length: 8, access: "read_write" },
    ],
    [0, 1],
  )
  const [value] = writer.evaluate(frame(), [make(new ExpressionBuilder())])
  writer.store(1, "v0", value)
  return { value: value, code: writer.shader(64) }
}

describe("literals", () => {
  it("parse as the very value", () => {
    expect(Wgsl.literal(1, "f32")).toBe("1.0f")
    expect(Wgsl.literal(-0.1, "f32")).toBe("(-0.1f)")
    expect(Wgsl.literal(1e30, "f32")).toBe("1e+30f")
    expect(Wgsl.literal(-0, "f32")).toBe("bitcast<f32>(0x80000000u)")
    expect(Wgsl.literal(1e-60, "f32")).toBe("0.0f")
    expect(Wgsl.literal(1e300, "f32")).toBe("3.4028234663852886e+38f")
    expect(Wgsl.literal(-3.4028234663852886e38, "f32")).toBe("(-3.4028234663852886e+38f)")
    expect(Wgsl.literal(-2147483648, "i32")).toBe("i32(-2147483648)")
    expect(Wgsl.literal(4294967295, "u32")).toBe("4294967295u")
    expect(Wgsl.literal(1, "bool")).toBe("true")
    expect(Wgsl.literal(70000, "f16")).toBe("65504.0h")
  })
  it("make infinities and NaN from bits", () => {
    const { value, code } = write((b) => b.constant(-Infinity, "f32"))
    expect(value).toBe("special(1u)")
    expect(code).toContain("var<private> special_bits")
  })
})

describe("expressions", () => {
  it("name loads and what is used twice, once", () => {
    const { code } = write((b) => {
      const x = b.load(0, b.variable(0, 8), "f32")
      const square = b.binary("multiply", x, x)
      return b.binary("add", square, b.unary("sqrt", square))
    })
    expect(code).toContain("let e0 = b0[v0];\n  let e1 = (e0 * e0);\n  b1[v0] = (e1 + sqrt(e1));")
  })
  it("put the condition of a select last", () => {
    const { value } = write((b) => {
      const v = b.variable(0, 8)
      const condition = b.binary("less", v, b.constant(4, "i32"))
      return b.select(condition, b.constant(1, "f32"), b.constant(2, "f32"))
    })
    expect(value).toBe("select(2.0f, 1.0f, (v0 < 4))")
  })
  it("store bool as u32", () => {
    const { code } = write((b) => b.unary("not", b.load(0, b.variable(0, 8), "bool")), "bool")
    expect(code).toContain("b0: array<u32, 8>")
    expect(code).toContain("let e0 = (b0[v0] != 0u);\n  b1[v0] = select(0u, 1u, (!e0));")
  })
  it("test for NaN by bits", () => {
    const { value } = write((b) => {
      const x = b.load(0, b.variable(0, 8), "f32")
      return b.cast(b.binary("notEqual", x, x), "f32")
    })
    expect(value).toBe("f32(is_nan(e0))")
  })
  it("mask shift counts, and divide safely by what may be zero", () => {
    const shifted = write((b) => {
      const x = b.load(0, b.variable(0, 8), "u32")
      return b.binary("shiftLeft", x, b.constant(35, "u32"))
    }, "u32")
    expect(shifted.value).toBe("(e0 << 3u)")
    const divided = write((b) => {
      const x = b.load(0, b.variable(0, 8), "u32")
      return b.binary("divide", x, x)
    }, "u32")
    expect(divided.value).toBe("divide_u32(e0, e0)")
  })
  it("multiply for small powers and call a function for others", () => {
    const power = (exponent: number) =>
      write((b) =>
        b.binary("power", b.load(0, b.variable(0, 8), "f32"), b.constant(exponent, "f32")),
      ).value
    expect(power(2)).toBe("(e0 * e0)")
    expect(power(0.5)).toBe("sqrt(e0)")
    expect(power(1.5)).toBe("power_f32(e0, 1.5f)")
  })
  it("enable f16 where it is used", () => {
    const { code } = write((b) => b.cast(b.load(0, b.variable(0, 8), "f16"), "f32"), "f16")
    expect(code.startsWith("enable f16;\n")).toBe(true)
  })
})

describe("operands", () => {
  it("that take several bindings are read through a function", () => {
    const binding = { dtype: "f32", length: 600, access: "read", pageLength: 256 } as const
    const out = { dtype: "f32", length: 8, access: "read_write" } as const
    const writer = new Wgsl.Writer([binding, out], [0, 1])
    writer.store(1, "0", writer.element(0, "i"))
    const code = writer.shader(1)
    expect(code).toContain("@binding(2) var<storage, read> b0_2: array<f32, 88>;")
    expect(code).toContain("@binding(3) var<storage, read_write> b1: array<f32, 8>;")
    expect(code).toContain("if (at < 512) { return b0_1[at - 256]; }\n  return b0_2[at - 512];")
    expect(code).toContain("b1[0] = paged_b0(i);")
  })
  it("may begin inside their binding, or be variables of the shader", () => {
    const writer = new Wgsl.Writer([{ dtype: "bool", length: 8, access: "read_write" }], [0], [3])
    writer.placeLocal(1, { name: "row", start: "slot * 4" })
    writer.placeLocal(2, { name: "total" })
    writer.store(0, "p", writer.element(1, "i"))
    writer.store(2, "0", "true")
    const code = writer.shader(1)
    expect(code).toContain("b0[p + 3] = select(0u, 1u, row[slot * 4 + i]);\n  total = true;")
  })
})

it("rounds to f16 by bits, because drivers may leave it out", () => {
  const { value } = write((b) => b.cast(b.load(0, b.variable(0, 8), "f32"), "f16"))
  expect(value).toBe("round_f16(e0)")
})

it("subgroups are asked for, and lanes counted along them", () => {
  const writer = new Wgsl.Writer([], [])
  writer.useSubgroups()
  const code = writer.shader(32)
  expect(code).toMatch(/^enable subgroups;\nrequires subgroup_id;/)
  expect(code).toContain("let lane = subgroup * subgroup_size + subgroup_lane;")
})

describe("hoisting", () => {
  it("computes what a loop does not change before it", () => {
    const writer = new Wgsl.Writer([{ dtype: "f32", length: 64, access: "read_write" }], [0])
    const b = new ExpressionBuilder()
    const at = b.add(b.multiply(b.variable(0, 8), 8), b.variable(1, 8))
    const root = b.load(0, at, "f32")
    const outer = frame(["row", "k"])
    writer.hoist(outer, [root], new Set([1]))
    expect(writer.evaluate(outer, [root])).toEqual(["e1"])
    expect(writer.shader(1)).toContain("let e0 = (row * 8);\n  let e1 = b0[(e0 + k)]")
  })
})

it("functions come after those they call", () => {
  const { code } = write((b) => b.unary("tanh", b.load(0, b.variable(0, 8), "f32")))
  expect(code.indexOf("fn is_nan")).toBeLessThan(code.indexOf("fn exp_f32"))
  expect(code.indexOf("fn exp_f32")).toBeLessThan(code.indexOf("fn tanh_f32"))
  expect(code.match(/fn is_nan/g)).toHaveLength(1)
})
