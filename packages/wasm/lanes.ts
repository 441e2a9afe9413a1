import type { WasmEncoder } from "@espalier/tensor"
import type { Emitter } from "./emitter.ts"

/** Vector arithmetic written as nested calls: every operand and result is a `v128` local. */
export class Lanes {
  readonly #emitter: Emitter

  constructor(emitter: Emitter) {
    this.#emitter = emitter
  }

  /** The same `f32` in all lanes. */
  float(value: number): number {
    return this.bits(new Int32Array(Float32Array.of(value).buffer)[0])
  }

  /** The same 32 bits in all lanes. */
  bits(value: number): number {
    return this.#emitter.constant(value, value)
  }

  /** The same `f64` in both lanes. */
  wide(value: number): number {
    const [low, high] = new Int32Array(Float64Array.of(value).buffer) as unknown as [number, number]
    return this.#emitter.constant(low, high)
  }

  op(name: WasmEncoder.Opcode, ...operands: ReadonlyArray<number>): number {
    for (const operand of operands) this.#emitter.f.get(operand)
    this.#emitter.f.op(name)
    return this.#emitter.keep("v128")
  }

  add(a: number, b: number): number {
    return this.op("f32x4.add", a, b)
  }
  subtract(a: number, b: number): number {
    return this.op("f32x4.sub", a, b)
  }
  multiply(a: number, b: number): number {
    return this.op("f32x4.mul", a, b)
  }
  divide(a: number, b: number): number {
    return this.op("f32x4.div", a, b)
  }
  and(a: number, b: number): number {
    return this.op("v128.and", a, b)
  }

  /** `a · b + c`, fused where possible. */
  multiplyAdd(a: number, b: number, c: number): number {
    this.#emitter.f.get(a).get(b)
    this.#emitter.multiplyAdd(() => this.#emitter.f.get(c))
    return this.#emitter.keep("v128")
  }

  /** `a` held below and above; NaN passes through. One instruction each, unlike `f32x4.min`. */
  clamp(a: number, low: number, high: number): number {
    return this.op("f32x4.pmax", this.op("f32x4.pmin", a, high), low)
  }

  /** `mask ? a : b`, bit by bit. */
  select(mask: number, a: number, b: number): number {
    return this.op("v128.bitselect", a, b, mask)
  }

  shift(
    name: "i32x4.shl" | "i32x4.shr_s" | "i32x4.shr_u" | "i64x2.shl" | "i64x2.shr_s",
    a: number,
    count: number,
  ): number {
    this.#emitter.f.get(a).i32(count).op(name)
    return this.#emitter.keep("v128")
  }

  shuffle(a: number, b: number, lanes: readonly [number, number, number, number]): number {
    this.#emitter.f
      .get(a)
      .get(b)
      .shuffle(...lanes)
    return this.#emitter.keep("v128")
  }

  /** The magnitude of `a` with the sign of `b`. */
  copySign(a: number, b: number): number {
    return this.select(this.bits(0x80000000), b, a)
  }

  /** `Σ coefficients[i]·x^i`. */
  polynomial(x: number, coefficients: ReadonlyArray<number>): number {
    let sum = this.float(coefficients.at(-1)!)
    for (const coefficient of coefficients.slice(0, -1).reverse()) {
      sum = this.multiplyAdd(sum, x, this.float(coefficient))
    }
    return sum
  }

  /** The same in two `f64` lanes. */
  polynomialWide(x: number, coefficients: ReadonlyArray<number>): number {
    let sum = this.wide(coefficients.at(-1)!)
    for (const coefficient of coefficients.slice(0, -1).reverse()) {
      sum = this.op("f64x2.add", this.op("f64x2.mul", sum, x), this.wide(coefficient))
    }
    return sum
  }
}
