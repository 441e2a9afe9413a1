import type { DType } from "@espalier/tensor"
import { Ir } from "@espalier/tensor"
import type { Access } from "./dependencies.ts"
import { access, dependencies, strideAlong } from "./dependencies.ts"
import type { Emitter } from "./emitter.ts"
import { Lanes } from "./lanes.ts"
import { scalarBinary, scalarCast, scalarSupports } from "./scalar_operations.ts"
import { vectorBinary, vectorBitcast, vectorCast, vectorUnary } from "./vector_operations.ts"

/** A loop variable's value: one number for all lanes, or lane l at `local + offset + l·step`. */
type Binding =
  | { readonly lanes: false; readonly local: number }
  | { readonly lanes: true; readonly local: number; readonly step: number; readonly offset: number }

interface Pointer {
  readonly local: number
  readonly remaining: Access["terms"]
}

interface State {
  readonly variables: Map<number, Binding>
  readonly arguments: Map<number, number>
  readonly vectors: Map<Ir.Expression, number>
  readonly scalars: Map<Ir.Expression, number>
  readonly pointers: Map<string, Pointer>
}

const copy = (state: State): State => ({
  variables: new Map(state.variables),
  arguments: new Map(state.arguments),
  vectors: new Map(state.vectors),
  scalars: new Map(state.scalars),
  pointers: new Map(state.pointers),
})

/**
 * Writes expressions as vector code of four 32-bit lanes. `bool` values are lane masks. Each
 * expression is computed once in a scope and kept in a local; {@link hoist} computes what is
 * already known before a loop is entered.
 *
 * At most one variable has different values in the lanes; `vectorVariable` names it beforehand.
 * Without one all lanes are equal, which is how remainders of loops reuse the same code.
 */
export class Evaluator {
  readonly emitter: Emitter
  #state: State
  #vectorVariable: number | undefined

  constructor(emitter: Emitter, vectorVariable: number | undefined, state?: State) {
    this.emitter = emitter
    this.#vectorVariable = vectorVariable
    this.#state = state ?? {
      variables: new Map(),
      arguments: new Map(),
      vectors: new Map(),
      scalars: new Map(),
      pointers: new Map(),
    }
  }

  /** An evaluator that knows what this one knows and goes its own way. */
  fork(vectorVariable = this.#vectorVariable): Evaluator {
    return new Evaluator(this.emitter, vectorVariable, copy(this.#state))
  }

  /** Runs `body`, then forgets what was bound and computed in it. */
  scope(body: () => void): void {
    const saved = this.#state
    const vectorVariable = this.#vectorVariable
    this.#state = copy(saved)
    body()
    this.#state = saved
    this.#vectorVariable = vectorVariable
  }

  /** Gives a variable one value in all lanes. */
  bind(variable: number, local: number): void {
    if (variable === this.#vectorVariable) this.#vectorVariable = undefined
    this.#state.variables.set(variable, { lanes: false, local })
  }

  /** Gives the vector variable the values `local + offset + lane · step`. */
  bindLanes(variable: number, local: number, step = 1, offset = 0): void {
    this.#state.variables.set(variable, { lanes: true, local, step, offset })
  }

  /** Gives an argument its value, a `v128` local. */
  bindArgument(slot: number, local: number): void {
    this.#state.arguments.set(slot, local)
  }

  #available(node: Ir.Expression): boolean {
    const { variables, slots } = dependencies(node)
    for (const index of variables) if (!this.#state.variables.has(index)) return false
    for (const slot of slots) if (!this.#state.arguments.has(slot)) return false
    return true
  }

  #uniform(node: Ir.Expression): boolean {
    const vector = this.#vectorVariable
    return vector === undefined || !dependencies(node).variables.has(vector)
  }

  /**
   * Computes the parts of `roots` whose variables have values: those that are equal in all lanes,
   * and the addresses of the others.
   */
  hoist(roots: ReadonlyArray<Ir.Expression>): void {
    const seen = new Set<Ir.Expression>()
    const visit = (node: Ir.Expression): void => {
      if (seen.has(node) || node.kind === "constant" || node.kind === "variable") return
      seen.add(node)
      if (this.#uniform(node) && this.#available(node)) this.vector(node)
      else if (node.kind === "load") this.hoistAccess(access(node.operand, node.index))
      else for (const child of Ir.children(node)) visit(child)
    }
    for (const root of roots) visit(root)
  }

  /** Computes the parts of an element address whose variables have values. */
  hoistAccess(target: Access): void {
    const vector = this.#vectorVariable
    if (vector !== undefined && strideAlong(target, vector) === undefined) {
      this.hoist([target.index])
      return
    }
    for (const { atom } of target.terms) this.#hoistScalar(atom)
    this.#pointer(target)
  }

  #hoistScalar(node: Ir.Expression): void {
    if (node.kind === "constant" || node.kind === "variable") return
    if (this.#uniform(node) && this.#available(node)) this.scalar(node)
    else if (node.kind === "load") this.hoistAccess(access(node.operand, node.index))
    else if (scalarSupports(node)) for (const child of Ir.children(node)) this.#hoistScalar(child)
  }

  /** The address of an access so far: advanced by every term that can be computed by now. */
  #pointer(target: Access): Pointer {
    const { f } = this.emitter
    const known = this.#state.pointers.get(target.key)
    const remaining = known?.remaining ?? target.terms
    const ready = remaining.filter((term) => this.#available(term.atom))
    const constant = known === undefined && !target.constantRides ? target.constant : 0
    if (known !== undefined && ready.length === 0) return known
    f.get(known?.local ?? this.emitter.base(target.operand))
    for (const { atom, coefficient } of ready) {
      f.get(this.scalar(atom))
      const bytes = 4 * coefficient
      if ((bytes & (bytes - 1)) === 0 && bytes > 0) f.i32(31 - Math.clz32(bytes)).op("i32.shl")
      else f.i32(bytes).op("i32.mul")
      f.op("i32.add")
    }
    if (constant !== 0) f.i32(4 * constant).op("i32.add")
    const made: Pointer = {
      local:
        ready.length === 0 && constant === 0 && known === undefined
          ? this.#asIs(target)
          : this.emitter.keep("i32"),
      remaining: remaining.filter((term) => !ready.includes(term)),
    }
    this.#state.pointers.set(target.key, made)
    return made
  }

  #asIs(target: Access): number {
    this.emitter.f.op("drop")
    return this.emitter.base(target.operand)
  }

  /** Pushes the address of lane 0 and answers the byte offset and the element step of the lanes. */
  #address(target: Access): { readonly offset: number; readonly step: number } {
    const { local, remaining } = this.#pointer(target)
    if (remaining.length > 0) throw new Error("an index uses a variable without a value")
    const binding =
      this.#vectorVariable === undefined
        ? undefined
        : this.#state.variables.get(this.#vectorVariable)
    const stride = binding?.lanes === true ? strideAlong(target, this.#vectorVariable!)! : 0
    let offset = target.constantRides ? target.constant : 0
    let step = 0
    if (binding?.lanes === true) {
      offset += stride * binding.offset
      step = stride * binding.step
    }
    const { f } = this.emitter
    f.get(local)
    // The lowest lane comes first, so that the lanes' offsets are not negative.
    const lowest = offset + Math.min(0, 3 * step)
    if (lowest < 0) f.i32(4 * lowest).op("i32.add")
    return { offset: 4 * Math.max(0, lowest), step }
  }

  #gathers(target: Access): boolean {
    const vector = this.#vectorVariable
    return vector !== undefined && strideAlong(target, vector) === undefined
  }

  #load(target: Access): void {
    const { f } = this.emitter
    if (this.#gathers(target)) {
      const index = this.vector(target.index)
      const base = this.emitter.base(target.operand)
      for (let lane = 0; lane < 4; lane++) {
        const loaded = lane === 0 ? undefined : this.emitter.keep("v128")
        f.get(base).get(index).lane("i32x4.extract_lane", lane).i32(2).op("i32.shl").op("i32.add")
        if (loaded === undefined) f.memory("v128.load32_zero")
        else f.get(loaded).memoryLane("v128.load32_lane", lane)
      }
      return
    }
    const { offset, step } = this.#address(target)
    if (step === 0) f.memory("v128.load32_splat", offset)
    else if (step === 1) f.memory("v128.load", offset)
    else if (step === -1) {
      const reversed = (f.memory("v128.load", offset), this.emitter.keep("v128"))
      f.get(reversed).get(reversed).shuffle(3, 2, 1, 0)
    } else {
      const address = this.emitter.keep("i32")
      const size = 4 * Math.abs(step)
      const first = step > 0 ? 0 : 3
      f.get(address).memory("v128.load32_zero", offset + first * size)
      for (let lane = 1; lane < 4; lane++) {
        const loaded = this.emitter.keep("v128")
        const place = step > 0 ? lane : 3 - lane
        f.get(address)
          .get(loaded)
          .memoryLane("v128.load32_lane", lane, offset + place * size)
      }
    }
  }

  /** Stores the lanes of a value (or lane 0 where all lanes are equal) at an element index. */
  store(target: Access, dtype: DType, value: number): void {
    const { f } = this.emitter
    let stored = value
    if (dtype === "bool") {
      f.get(value).i32x4(1).op("v128.and")
      stored = this.emitter.keep("v128")
    }
    const { offset, step } = this.#address(target)
    if (step === 0) f.get(stored).memoryLane("v128.store32_lane", 0, offset)
    else if (step === 1) f.get(stored).memory("v128.store", offset)
    else {
      const address = this.emitter.keep("i32")
      for (let lane = 0; lane < 4; lane++) {
        const place = step > 0 ? lane : 3 - lane
        f.get(address).get(stored)
        f.memoryLane("v128.store32_lane", lane, offset + 4 * Math.abs(step) * place)
      }
    }
  }

  /** The `v128` local that holds an expression's value. */
  vector(node: Ir.Expression): number {
    if (node.kind === "argument") return this.#state.arguments.get(node.slot)!
    const known = this.#state.vectors.get(node)
    if (known !== undefined) return known
    const local = this.#compute(node)
    this.#state.vectors.set(node, local)
    return local
  }

  #compute(node: Ir.Expression): number {
    const { emitter } = this
    const { f } = emitter
    switch (node.kind) {
      case "constant": {
        const lanes = new Lanes(emitter)
        if (node.dtype === "f32") return lanes.float(node.value)
        return lanes.bits(node.dtype === "bool" ? -node.value : node.value)
      }
      case "variable": {
        const binding = this.#state.variables.get(node.index)!
        f.get(binding.local).op("i32x4.splat")
        if (binding.lanes) {
          const { offset, step } = binding
          f.i32x4(offset, offset + step, offset + 2 * step, offset + 3 * step).op("i32x4.add")
        }
        break
      }
      case "argument":
        return this.vector(node)
      case "load":
        this.#load(access(node.operand, node.index))
        if (node.dtype === "bool") f.i32x4(0).op("i32x4.ne")
        break
      case "unary":
        vectorUnary(emitter, node.function, node.dtype, this.vector(node.operand))
        break
      case "binary": {
        const [left, right] = [this.vector(node.left), this.vector(node.right)]
        vectorBinary(emitter, node, left, right, this.#uniform(node.right))
        break
      }
      case "select": {
        const [condition, whenTrue, whenFalse] = [
          this.vector(node.condition),
          this.vector(node.whenTrue),
          this.vector(node.whenFalse),
        ]
        f.get(whenTrue).get(whenFalse).get(condition).op("v128.bitselect")
        break
      }
      case "cast":
        vectorCast(emitter, node.operand.dtype, node.dtype, this.vector(node.operand))
        break
      case "bitcast":
        vectorBitcast(emitter, node.operand.dtype, node.dtype, this.vector(node.operand))
        break
    }
    return emitter.keep("v128")
  }

  /** The `i32` local that holds an integer expression's value, the same in all lanes. */
  scalar(node: Ir.Expression): number {
    if (node.kind === "variable") return this.#state.variables.get(node.index)!.local
    const known = this.#state.scalars.get(node)
    if (known !== undefined) return known
    const local = this.#computeScalar(node)
    this.#state.scalars.set(node, local)
    return local
  }

  #computeScalar(node: Ir.Expression): number {
    const { emitter } = this
    const { f } = emitter
    if (!scalarSupports(node)) {
      f.get(this.vector(node)).lane("i32x4.extract_lane", 0)
      if (node.dtype === "bool") f.i32(1).op("i32.and")
      return emitter.keep("i32")
    }
    switch (node.kind) {
      case "constant":
        f.i32(node.value)
        break
      case "load": {
        const { offset } = this.#address(access(node.operand, node.index))
        f.memory("i32.load", offset)
        if (node.dtype === "bool") f.i32(0).op("i32.ne")
        break
      }
      case "binary":
        scalarBinary(emitter, node, this.scalar(node.left), this.scalar(node.right))
        break
      case "select": {
        const [condition, whenTrue, whenFalse] = [
          this.scalar(node.condition),
          this.scalar(node.whenTrue),
          this.scalar(node.whenFalse),
        ]
        f.get(whenTrue).get(whenFalse).get(condition).op("select")
        break
      }
      case "cast":
        scalarCast(emitter, node.dtype, this.scalar(node.operand))
        break
      default:
        throw new Error(`no scalar code for ${node.kind}`)
    }
    return emitter.keep("i32")
  }
}
