import type { Ir, WgslBuilder } from "@espalier/tensor"
import { WgslBuilder as Builder } from "@espalier/tensor"
import { frameIn } from "./common.ts"

/** The running tuple of a reduction or scan, as WGSL variables. */
export class Accumulator {
  readonly names: ReadonlyArray<string>
  readonly #writer: WgslBuilder.Writer
  readonly combine: Ir.Combine

  /** Declares the variables, at the identity. */
  constructor(writer: WgslBuilder.Writer, combine: Ir.Combine) {
    this.#writer = writer
    this.combine = combine
    this.names = combine.dtypes.map((dtype, i) => {
      const name = writer.name("acc")
      const start = writer.literal(combine.identity[i], dtype)
      writer.line(`var ${name}: ${Builder.valueType(dtype)} = ${start};`)
      return name
    })
  }

  /** True where the order of two operands cannot matter. */
  get isCommutative(): boolean {
    return isCommutative(this.combine)
  }

  /** Replaces the tuple by its combination with `elements`. */
  add(elements: ReadonlyArray<string>, outer: WgslBuilder.Frame): void {
    this.assign(this.names, elements, outer)
  }

  /** Replaces the tuple by the combination of `left` and `right`. */
  assign(
    left: ReadonlyArray<string>,
    right: ReadonlyArray<string>,
    outer: WgslBuilder.Frame,
  ): void {
    const frame = frameIn({ ...outer, names: new Map() }, [...left, ...right])
    const results = this.#writer.evaluate(frame, this.combine.result)
    if (results.length === 1) {
      this.#writer.line(`${this.names[0]} = ${results[0]};`)
      return
    }
    const kept = results.map((result) => {
      const name = this.#writer.name("next")
      this.#writer.line(`let ${name} = ${result};`)
      return name
    })
    kept.forEach((name, i) => this.#writer.line(`${this.names[i]} = ${name};`))
  }
}

/** True where the order of two operands cannot matter: one accumulator and a plain operation. */
export const isCommutative = ({ result }: Ir.Combine): boolean => {
  const [only] = result
  if (result.length !== 1 || only?.kind !== "binary") return false
  const plain = ["add", "multiply", "maximum", "minimum", "and", "or", "xor"]
  return (
    plain.includes(only.function) && only.left.kind === "argument" && only.right.kind === "argument"
  )
}
