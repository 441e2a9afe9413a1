import type { DType } from "@espalier/tensor"
import { Ir } from "@espalier/tensor"
import type { Access } from "./dependencies.ts"
import { access, dependencies, strideAlong } from "./dependencies.ts"
import type { Pointer, State } from "./evaluator_state.ts"
import { copyState, emptyState } from "./evaluator_state.ts"
import type { Emitter } from "./emitter.ts"
import type { AlignedLanes, LaneCode } from "./lane_patterns.ts"
import { isSteady, laneCode } from "./lane_patterns.ts"
import { gatherLanes, loadLanes, spreadCodes, storeLanes } from "./lane_memory.ts"
import { Lanes } from "./lanes.ts"
import { scalarBinary, scalarCast, scalarSupports } from "./scalar_operations.ts"
import {
  castSource,
  vectorBinary,
  vectorBitcast,
  vectorCast,
  vectorUnary,
} from "./vector_operations.ts"

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
    this.#state = state ?? emptyState()
  }

  /** An evaluator that knows what this one knows and goes its own way. */
  fork(vectorVariable = this.#vectorVariable): Evaluator {
    return new Evaluator(this.emitter, vectorVariable, copyState(this.#state))
  }

  /** Runs `body`, then forgets what was bound and computed in it. */
  scope(body: () => void): void {
    const saved = this.#state
    const vectorVariable = this.#vectorVariable
    this.#state = copyState(saved)
    body()
    this.#state = saved
    this.#vectorVariable = vectorVariable
  }

  /** Gives a variable one value in all lanes. */
  bind(variable: number, local: number): void {
    if (variable === this.#vectorVariable) this.#vectorVariable = undefined
    this.#state.variables.set(variable, { lanes: false, local })
  }

  /**
   * Gives the vector variable the values `local + offset + lane · step`. The local is a multiple of
   * `multiple`: of four, unless said otherwise.
   */
  bindLanes(variable: number, local: number, step = 1, offset = 0, multiple = 4): void {
    this.#state.variables.set(variable, { lanes: true, local, step, offset, multiple })
  }

  /** Gives an argument its value, a `v128` local. */
  bindArgument(slot: number, local: number): void {
    this.#state.arguments.set(slot, local)
  }

  /** Gives an expression its value, a `v128` local. */
  preset(node: Ir.Expression, local: number): void {
    this.#state.vectors.set(node, local)
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

  /** The vector variable, where its lanes are neighbours that begin at a multiple of four. */
  #aligned(): AlignedLanes | undefined {
    const variable = this.#vectorVariable
    const binding = variable === undefined ? undefined : this.#state.variables.get(variable)
    if (variable === undefined || binding?.lanes !== true || binding.step !== 1) return undefined
    const { multiple, offset } = binding
    return multiple % 4 === 0 && offset % 4 === 0 ? { variable, multiple, offset } : undefined
  }

  /** True where all lanes are equal although the vector variable is part of it. */
  #steady(node: Ir.Expression): boolean {
    const lanes = this.#uniform(node) ? undefined : this.#aligned()
    return lanes !== undefined && isSteady(node, lanes.variable)
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
      if (!isSteady(target.index, vector)) return this.hoist([target.index])
      for (const { atom } of target.terms) if (this.#uniform(atom)) this.#hoistScalar(atom)
    } else for (const { atom } of target.terms) this.#hoistScalar(atom)
    this.#pointer(target, false)
  }

  #hoistScalar(node: Ir.Expression): void {
    if (node.kind === "constant" || node.kind === "variable") return
    if (this.#uniform(node) && this.#available(node)) this.scalar(node)
    else if (node.kind === "load") this.hoistAccess(access(node.operand, node.index))
    else if (scalarSupports(node)) for (const child of Ir.children(node)) this.#hoistScalar(child)
  }

  /**
   * The address of an access so far: advanced by every term that can be computed by now. Terms that
   * are only steady belong to one vector: they come last, when the access is `final`.
   */
  #pointer(target: Access, final: boolean): Pointer {
    const { f } = this.emitter
    const known = this.#state.pointers.get(target.key)
    const remaining = known?.remaining ?? target.terms
    const ready = remaining.filter(
      ({ atom }) =>
        this.#available(atom) && (final || atom.kind === "variable" || this.#uniform(atom)),
    )
    const constant = known === undefined && !target.constantRides ? target.constant : 0
    if (known !== undefined && ready.length === 0) return known
    f.get(known?.local ?? this.emitter.base(target.operand))
    for (const { atom, coefficient } of ready) {
      // The lanes' offset goes into the instruction, by the stride.
      const variable = atom.kind === "variable" ? this.#state.variables.get(atom.index) : undefined
      f.get(variable?.local ?? this.scalar(atom))
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
    const { local, remaining } = this.#pointer(target, true)
    if (remaining.length > 0) throw new Error("an index uses a variable without a value")
    const binding =
      this.#vectorVariable === undefined
        ? undefined
        : this.#state.variables.get(this.#vectorVariable)
    // An access without a stride that gets here is steady.
    const stride = binding?.lanes === true ? (strideAlong(target, this.#vectorVariable!) ?? 0) : 0
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

  /** A local with the address of an element, the same in all lanes. */
  address(target: Access): number {
    const { offset } = this.#address(target)
    if (offset > 0) this.emitter.f.i32(offset).op("i32.add")
    return this.emitter.keep("i32")
  }

  #gathers(target: Access): boolean {
    const vector = this.#vectorVariable
    if (vector === undefined || strideAlong(target, vector) !== undefined) return false
    return !this.#steady(target.index)
  }

  #load(target: Access): void {
    if (this.#gathers(target)) {
      const index = this.vector(target.index)
      gatherLanes(this.emitter, this.emitter.base(target.operand), index)
    } else {
      const { offset, step } = this.#address(target)
      loadLanes(this.emitter, offset, step)
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
    storeLanes(this.emitter, stored, offset, step)
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
    if (node.kind !== "load" && scalarSupports(node) && this.#steady(node)) {
      f.get(this.scalar(node)).op("i32x4.splat")
      if (node.dtype === "bool") f.op("i32x4.neg")
      return emitter.keep("v128")
    }
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
        const lanes = this.#aligned()
        const code = lanes === undefined ? undefined : laneCode(node, lanes)
        if (code !== undefined) {
          this.#takeCodes(code)
          break
        }
        const [left, right] = [this.vector(node.left), this.vector(node.right)]
        // An argument, such as a sum, has a value of its own in each lane.
        const uniform = this.#uniform(node.right) && dependencies(node.right).slots.size === 0
        vectorBinary(emitter, node, left, right, uniform)
        break
      }
      case "select":
        this.#select(node)
        break
      case "cast":
        vectorCast(emitter, castSource(node.operand), node.dtype, this.vector(node.operand))
        break
      case "bitcast":
        vectorBitcast(emitter, node.operand.dtype, node.dtype, this.vector(node.operand))
        break
    }
    return emitter.keep("v128")
  }

  #select({ condition, whenTrue, whenFalse }: Ir.Select): void {
    const { f } = this.emitter
    const mask = this.vector(condition)
    // Against zero one instruction does, where bitselect is three.
    const isZero = (node: Ir.Expression): boolean =>
      node.kind === "constant" && Object.is(node.value, 0)
    if (isZero(whenFalse)) f.get(this.vector(whenTrue)).get(mask).op("v128.and")
    else if (isZero(whenTrue)) f.get(this.vector(whenFalse)).get(mask).op("v128.andnot")
    else {
      const [yes, no] = [this.vector(whenTrue), this.vector(whenFalse)]
      f.get(yes).get(no).get(mask).op("v128.bitselect")
    }
  }

  /** Pushes the four codes that begin with that of lane 0. */
  #takeCodes({ word, mask, step, count, first }: LaneCode): void {
    const { f } = this.emitter
    if (
      first === undefined &&
      scalarSupports(word) &&
      (this.#uniform(word) || this.#steady(word))
    ) {
      f.get(this.scalar(word)).get(this.scalar(count)).op("i32.shr_u").op("i32x4.splat")
    } else {
      f.get(this.vector(word))
      if (first === undefined) f.get(this.scalar(count)).op("i32x4.shr_u")
      else if (first > 0) f.i32(first).op("i32x4.shr_u")
    }
    spreadCodes(this.emitter, step, mask)
  }

  /** The `i32` local that holds an integer expression's value, the same in all lanes or that of lane 0. */
  scalar(node: Ir.Expression): number {
    if (node.kind === "variable") {
      const binding = this.#state.variables.get(node.index)!
      if (!binding.lanes || binding.offset === 0) return binding.local
      this.emitter.f.get(binding.local).i32(binding.offset).op("i32.add")
      return this.emitter.keep("i32")
    }
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
