import type { Ir } from "@espalier/tensor"
import type { Emitter } from "./emitter.ts"
import type { Evaluator } from "./expression_compiler.ts"

const commutative: ReadonlySet<Ir.BinaryFunction> = new Set([
  "add",
  "multiply",
  "maximum",
  "minimum",
  "and",
  "or",
  "xor",
])

/** True when every accumulator is a plain sum, product, extreme or bit operation. */
export const isCommutative = ({ result }: Ir.Combine): boolean =>
  result.every((node, slot) => {
    if (node.kind !== "binary" || !commutative.has(node.function)) return false
    const slots = [node.left, node.right].map((side) => (side.kind === "argument" ? side.slot : -1))
    return slots.includes(slot) && slots.includes(result.length + slot)
  })

/** A tuple of running values, one `v128` local each. */
export class Accumulators {
  readonly #combine: Ir.Combine
  readonly #emitter: Emitter
  readonly locals: ReadonlyArray<number>

  constructor(emitter: Emitter, combine: Ir.Combine) {
    this.#combine = combine
    this.#emitter = emitter
    this.locals = combine.dtypes.map(() => emitter.f.local("v128"))
  }

  reset(): void {
    const { f } = this.#emitter
    for (const [slot, local] of this.locals.entries()) {
      const value = this.#combine.identity[slot]
      const dtype = this.#combine.dtypes[slot]
      if (dtype === "f32") f.f32x4(value)
      else f.i32x4(dtype === "bool" ? -value : value)
      f.set(local)
    }
  }

  /** `this = combine(this, elements)`. */
  add(evaluator: Evaluator, elements: ReadonlyArray<number>): void {
    const { f } = this.#emitter
    evaluator.scope(() => {
      for (const [slot, local] of this.locals.entries()) {
        evaluator.bindArgument(slot, local)
        evaluator.bindArgument(this.locals.length + slot, elements[slot])
      }
      for (const node of this.#combine.result) f.get(evaluator.vector(node))
      for (const local of [...this.locals].reverse()) f.set(local)
    })
  }

  /** Combines the four lanes in order, so that all lanes hold the result. */
  foldLanes(evaluator: Evaluator): void {
    const { f } = this.#emitter
    const shuffled = (a: number, b: number, c: number, d: number): ReadonlyArray<number> =>
      this.locals.map((local) => {
        f.get(local).get(local).shuffle(a, b, c, d)
        return this.#emitter.keep("v128")
      })
    // Lane 0 becomes 0∘1 and lane 2 becomes 2∘3; then lane 0 becomes the whole.
    this.add(evaluator, shuffled(1, 1, 3, 3))
    this.add(evaluator, shuffled(2, 2, 2, 2))
    for (const local of this.locals) f.get(local).get(local).shuffle(0, 0, 0, 0).set(local)
  }

  /** Makes the accumulators the arguments 0, 1, … of the expressions that follow. */
  bind(evaluator: Evaluator): void {
    for (const [slot, local] of this.locals.entries()) evaluator.bindArgument(slot, local)
  }
}
