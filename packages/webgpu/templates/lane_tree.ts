import type { Ir } from "@espalier/tensor"
import { WgslBuilder } from "@espalier/tensor"
import type { Accumulator } from "./accumulator.ts"
import type { Strategy } from "./strategy.ts"

/** Bytes of workgroup memory that a {@link LaneTree} of `lanes` lanes takes. */
export const treeBytes = ({ dtypes }: Ir.Combine, lanes: number): number =>
  4 * dtypes.length * lanes

/**
 * Joins what the lanes of a workgroup hold: neighbours first, then pairs of neighbours, and so on,
 * so that the order of the elements is kept and every adapter adds in the same order. Inside a
 * subgroup through registers, where the adapter can; else through workgroup memory.
 */
export class LaneTree {
  readonly #writer: WgslBuilder.Writer
  readonly #lanes: number
  readonly #subgroup: number
  readonly #shared = new Map<string, string>()
  /** True while some lane may still read the shared memory of the last tree. */
  busy = false

  /** For workgroups of `lanes` lanes, a power of two. */
  constructor(writer: WgslBuilder.Writer, lanes: number, { subgroup }: Strategy) {
    this.#writer = writer
    this.#lanes = lanes
    this.#subgroup = subgroup
    if (subgroup > 0) writer.useSubgroups()
  }

  barrier(): void {
    this.#writer.line("workgroupBarrier();")
    this.busy = false
  }

  #arrays({ combine }: Accumulator): ReadonlyArray<string> {
    return combine.dtypes.map((dtype, i) => {
      const key = `${dtype} ${i}`
      const known = this.#shared.get(key)
      if (known !== undefined) return known
      const name = this.#writer.name("shared")
      const type = WgslBuilder.valueType(dtype)
      this.#writer.declare(`var<workgroup> ${name}: array<${type}, ${this.#lanes}>;`)
      this.#shared.set(key, name)
      return name
    })
  }

  /** Leaves the join of each `width` neighbouring lanes (a power of two) in the first of them. */
  join(accumulator: Accumulator, width: number, frame: WgslBuilder.Frame): void {
    const inSubgroup = Math.min(width, this.#subgroup)
    if (inSubgroup > 1) this.#shuffle(accumulator, 1, inSubgroup, frame)
    if (inSubgroup === width) return
    const across = width / Math.max(1, inSubgroup)
    if (this.#lanes === width && inSubgroup > 1 && across <= this.#subgroup) {
      this.#joinSubgroups(accumulator, inSubgroup, across, frame)
    } else this.#throughMemory(accumulator, Math.max(1, inSubgroup), width, frame)
  }

  #shuffle(accumulator: Accumulator, from: number, to: number, frame: WgslBuilder.Frame): void {
    for (let step = from; step < to; step *= 2) {
      const others = accumulator.names.map((name, i) =>
        accumulator.combine.dtypes[i] === "bool"
          ? `(subgroupShuffleDown(select(0u, 1u, ${name}), ${step}u) != 0u)`
          : `subgroupShuffleDown(${name}, ${step}u)`,
      )
      const named = others.map((text) => {
        const name = this.#writer.name("other")
        this.#writer.line(`let ${name} = ${text};`)
        return name
      })
      accumulator.assign(accumulator.names, named, frame)
    }
  }

  /** The firsts of all subgroups meet in workgroup memory, and one more subgroup joins them. */
  #joinSubgroups(
    accumulator: Accumulator,
    size: number,
    count: number,
    frame: WgslBuilder.Frame,
  ): void {
    const shared = this.#arrays(accumulator)
    if (this.busy) this.barrier()
    this.#writer.block(`if ((lane & ${size - 1}u) == 0u)`, () =>
      shared.forEach((name, i) =>
        this.#writer.line(`${name}[lane / ${size}u] = ${accumulator.names[i]};`),
      ),
    )
    this.barrier()
    shared.forEach((name, i) =>
      this.#writer.line(`${accumulator.names[i]} = ${name}[lane & ${count - 1}u];`),
    )
    this.busy = true
    this.#shuffle(accumulator, 1, count, frame)
  }

  #throughMemory(
    accumulator: Accumulator,
    from: number,
    width: number,
    frame: WgslBuilder.Frame,
  ): void {
    const writer = this.#writer
    const shared = this.#arrays(accumulator)
    const keep = () =>
      shared.forEach((name, i) => writer.line(`${name}[lane] = ${accumulator.names[i]};`))
    if (this.busy) this.barrier()
    keep()
    const step = writer.name("step")
    writer.block(
      `for (var ${step} = ${from}u; ${step} < ${width}u; ${step} = ${step} << 1u)`,
      () => {
        writer.line("workgroupBarrier();")
        writer.block(`if ((lane & (2u * ${step} - 1u)) == 0u)`, () => {
          const right = shared.map((name) => `${name}[lane + ${step}]`)
          accumulator.assign(accumulator.names, right, frame)
          keep()
        })
      },
    )
    this.busy = true
  }
}
