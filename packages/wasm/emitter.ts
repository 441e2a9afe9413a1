import type { Ir } from "@espalier/tensor"
import { WasmEncoder } from "@espalier/tensor"

/** What the code may use, and the memory it runs over. */
export interface Target {
  /** `f32x4.relaxed_madd` is there and fuses. */
  readonly relaxed: boolean
  readonly shared: boolean
  readonly maximumPages: number
}

/** How one element moves through a helper function. */
type Division = "i32.divide" | "i32.remainder" | "u32.divide" | "u32.remainder"
type Helper = Division | "f32.remainder" | "i32.power" | "u32.power"

/** A module in the making, with the helper functions that its kernels share. */
export class KernelModule {
  readonly builder = new WasmEncoder.ModuleBuilder()
  readonly target: Target
  readonly #helpers = new Map<Helper, WasmEncoder.FunctionBuilder>()

  constructor(target: Target) {
    this.target = target
    this.builder.importMemory({
      module: "env",
      name: "memory",
      minimumPages: 1,
      ...(target.shared ? { maximumPages: target.maximumPages, shared: true } : {}),
    })
  }

  helper(name: Helper): WasmEncoder.FunctionBuilder {
    const known = this.#helpers.get(name)
    if (known !== undefined) return known
    const made = this.#write(name)
    this.#helpers.set(name, made)
    return made
  }

  #write(name: Helper): WasmEncoder.FunctionBuilder {
    switch (name) {
      case "f32.remainder":
        return this.#remainder()
      case "i32.power":
      case "u32.power":
        return this.#power(name === "i32.power")
      default:
        return this.#division(name)
    }
  }

  /** Squares and multiplies, modulo 2³². Only ±1 has a reciprocal among the integers. */
  #power(signed: boolean): WasmEncoder.FunctionBuilder {
    const f = this.builder.function(["i32", "i32"], ["i32"])
    const result = f.local("i32")
    f.i32(1).set(result)
    if (signed) {
      f.get(1)
        .i32(0)
        .op("i32.lt_s")
        .if(() => {
          // Odd powers of −1 are −1, even ones 1; those of everything else but 1 are 0.
          f.get(0).i32(1).get(1).i32(1).op("i32.and").op("select")
          f.i32(0)
          f.get(0).i32(1).op("i32.add").i32(3).op("i32.lt_u").get(0).i32(0).op("i32.ne")
          f.op("i32.and").op("select").op("return")
        })
    }
    f.block((done) => {
      f.loop((next) => {
        f.get(1).op("i32.eqz").branchIf(done)
        f.get(1)
          .i32(1)
          .op("i32.and")
          .if(() => {
            f.get(result).get(0).op("i32.mul").set(result)
          })
        f.get(0).get(0).op("i32.mul").set(0)
        f.get(1).i32(1).op("i32.shr_u").set(1)
        f.branch(next)
      })
    })
    f.get(result)
    return f
  }

  /** Division by zero gives 0, and the smallest integer by −1 wraps: no traps. */
  #division(name: Division): WasmEncoder.FunctionBuilder {
    const f = this.builder.function(["i32", "i32"], ["i32"])
    const result = f.local("i32")
    f.get(1).if(() => {
      switch (name) {
        case "i32.divide":
          f.get(1).i32(-1).op("i32.eq")
          f.if(
            () => f.i32(0).get(0).op("i32.sub").set(result),
            () => f.get(0).get(1).op("i32.div_s").set(result),
          )
          break
        case "u32.divide":
          f.get(0).get(1).op("i32.div_u").set(result)
          break
        case "i32.remainder":
          f.get(0).get(1).op("i32.rem_s").set(result)
          break
        case "u32.remainder":
          f.get(0).get(1).op("i32.rem_u").set(result)
          break
      }
    })
    f.get(result)
    return f
  }

  /** The exact remainder of two f32 (sign of the dividend): long division in f64, 24 bits a round. */
  #remainder(): WasmEncoder.FunctionBuilder {
    const f = this.builder.function(["f32", "f32"], ["f32"])
    const [x, y, q] = [f.local("f64"), f.local("f64"), f.local("f64")]
    f.get(0).op("f64.promote_f32").set(x)
    f.get(1).op("f64.promote_f32").op("f64.abs").set(y)
    // NaN operands, an infinite dividend and a zero divisor have no remainder.
    f.get(x).get(x).op("f64.sub").f64(0).op("f64.ne").get(y).f64(0).op("f64.gt").op("i32.eqz")
    f.op("i32.or").if(() => f.f32(NaN).op("return"))
    f.block((done) => {
      f.loop((next) => {
        f.get(x).op("f64.abs").get(y).op("f64.lt").branchIf(done)
        // Keeping 25 leading bits of the quotient makes its product with y exact.
        f.get(x).get(y).op("f64.div").op("f64.trunc").op("i64.reinterpret_f64")
        f.i64(-268435456).op("i64.and").op("f64.reinterpret_i64").set(q)
        f.get(x).get(q).get(y).op("f64.mul").op("f64.sub").set(x)
        f.branch(next)
      })
    })
    // A quotient that rounded up to the next integer left a remainder of the wrong sign.
    f.get(x)
      .get(0)
      .op("f64.promote_f32")
      .op("f64.mul")
      .f64(0)
      .op("f64.lt")
      .if(() => {
        f.get(x).get(y).get(0).op("f64.promote_f32").op("f64.copysign").op("f64.add").set(x)
      })
    f.get(x).get(0).op("f64.promote_f32").op("f64.copysign").op("f32.demote_f64")
    return f
  }

  /** Starts an exported kernel function: `(start, end, scratch, shared, base of each operand)`. */
  kernel(name: string, operands: ReadonlyArray<Ir.Operand>): Emitter {
    const f = this.builder.function([
      "i32",
      "i32",
      "i32",
      "i32",
      ...operands.map(() => "i32" as const),
    ])
    this.builder.export(name, f)
    return new Emitter(this, f, operands)
  }
}

/** Where a loop begins or ends: a number known now, or a local. */
export type Bound = number | { readonly local: number }

/** The function being written, and small conveniences over the bare instruction builder. */
export class Emitter {
  readonly module: KernelModule
  readonly f: WasmEncoder.FunctionBuilder
  readonly operands: ReadonlyArray<Ir.Operand>
  readonly start: Bound = { local: 0 }
  readonly end: Bound = { local: 1 }
  /** Local with the address of this thread's own working memory. */
  readonly scratch = 2
  /** Local with the address of the working memory that all threads see. */
  readonly shared = 3
  readonly #constants = new Map<string, number>()
  readonly #locals: Array<number> = []
  #zero: number | undefined

  constructor(
    module: KernelModule,
    f: WasmEncoder.FunctionBuilder,
    operands: ReadonlyArray<Ir.Operand>,
  ) {
    this.module = module
    this.f = f
    this.operands = operands
  }

  /** The local with the address of an operand, or of a piece of scratch memory used like one. */
  base(operand: number): number {
    return operand < this.operands.length
      ? 4 + operand
      : this.#locals[operand - this.operands.length]
  }

  /** Gives the next operand number to `offset` bytes into the scratch memory. */
  addLocal(offset: number): void {
    this.f.get(this.scratch).i32(offset).op("i32.add")
    this.#locals.push(this.keep("i32"))
  }

  /** The local with a vector constant of the words `even`, `odd`, `even`, `odd`. */
  constant(even: number, odd: number): number {
    const key = `${even | 0},${odd | 0}`
    const known = this.#constants.get(key)
    if (known !== undefined) return known
    const zero = this.#readZero()
    const local = this.f.local("v128")
    this.f.atEntry(() => {
      this.f.i32x4(even, odd, even, odd).get(zero).op("v128.xor").set(local)
    })
    this.#constants.set(key, local)
    return local
  }

  /**
   * A zero that the engine cannot see through, from the unused start of the memory: V8 would build
   * a vector literal anew at every use, three instructions each, instead of keeping it.
   */
  #readZero(): number {
    if (this.#zero === undefined) {
      const local = (this.#zero = this.f.local("v128"))
      this.f.atEntry(() => this.f.i32(0).memory("v128.load").set(local))
    }
    return this.#zero
  }

  /** Multiplies the two vectors on the stack and adds what `addend` pushes, fused where possible. */
  multiplyAdd(addend: () => void): void {
    if (this.module.target.relaxed) {
      addend()
      this.f.op("f32x4.relaxed_madd")
    } else {
      this.f.op("f32x4.mul")
      addend()
      this.f.op("f32x4.add")
    }
  }

  push(bound: Bound): void {
    if (typeof bound === "number") this.f.i32(bound)
    else this.f.get(bound.local)
  }

  /** Stores what is on the stack in a fresh local. */
  keep(type: WasmEncoder.ValueType): number {
    const local = this.f.local(type)
    this.f.set(local)
    return local
  }

  /** `for (v = from; v < to; v += step)`. */
  loop(from: Bound, to: Bound, step: number, body: (variable: number) => void): void {
    const { f } = this
    const variable = f.local("i32")
    this.push(from)
    f.set(variable)
    this.loopFrom(variable, to, step, () => body(variable))
  }

  /** Goes on with a loop whose variable already has a value. */
  loopFrom(variable: number, to: Bound, step: number, body: () => void): void {
    const { f } = this
    f.get(variable)
    this.push(to)
    f.op("i32.lt_s").if(() => {
      f.loop((next) => {
        body()
        f.get(variable).i32(step).op("i32.add").tee(variable)
        this.push(to)
        f.op("i32.lt_s").branchIf(next)
      })
    })
  }

  /** The last multiple-of-`step` bound: `from + floor((to − from) / step) · step`. */
  wholeSteps(from: Bound, to: Bound, step: number): Bound {
    if (typeof from === "number" && typeof to === "number") {
      return from + Math.floor(Math.max(0, to - from) / step) * step
    }
    const { f } = this
    this.push(to)
    this.push(from)
    f.op("i32.sub")
    if ((step & (step - 1)) === 0) f.i32(-step).op("i32.and")
    else f.i32(step).op("i32.div_s").i32(step).op("i32.mul")
    this.push(from)
    f.op("i32.add")
    return { local: this.keep("i32") }
  }
}
