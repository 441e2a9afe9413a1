import { byteSize } from "../dtype.ts"
import type { Expression } from "../ir/expression.ts"
import { reachable } from "../ir/expression.ts"
import type { RowsKernel } from "../ir/kernel.ts"
import { outputExtents, roots, stageExtents, variableExtents } from "../ir/kernel.ts"
import type { Schedule } from "../ir/schedule.ts"
import { arenaAlignment } from "../ir/schedule.ts"
import { sizeOf } from "../shape.ts"

const require = (holds: boolean, problem: string): void => {
  if (!holds) throw new Error(problem)
}

/** What every schedule promises to its devices; throws where one promise is broken. */
export const checkSchedule = (schedule: Schedule): void => {
  const { buffers, steps, inputs, outputs, inPlace, arenaBytes } = schedule
  const written = new Set(inputs)
  for (const { id, role, data } of buffers) {
    require(buffers[id].id === id, "buffers are listed by id")
    if (role === "constant") {
      require(data !== undefined, "a constant has data")
      written.add(id)
    }
  }
  for (const [at, step] of steps.entries()) {
    const { kernel } = step
    const where = `step ${at} (${kernel.name})`
    require(step.buffers.length === kernel.operands.length, `${where}: a buffer for each operand`)
    require(step.buffers.length <= 8, `${where} binds ${step.buffers.length} buffers`)
    require(new Set(step.buffers).size === step.buffers.length, `${where}: no buffer twice`)
    const stored = new Set(
      kernel.operands.flatMap(({ access }, i) => (access === "write" ? [i] : [])),
    )
    const outputs =
      kernel.kind === "rows"
        ? kernel.stages.flatMap((stage) => stage.outputs)
        : kernel.kind === "custom"
          ? []
          : kernel.outputs
    const assigned = outputs.map(({ operand }) => operand)
    require(new Set(assigned).size === assigned.length, `${where}: nothing is stored twice`)
    if (kernel.kind !== "custom") {
      for (const i of stored) require(assigned.includes(i), `${where}: operand ${i} is stored`)
    }
    for (const [i, { dtype, length, access }] of kernel.operands.entries()) {
      const buffer = buffers[step.buffers[i]]
      require(buffer.dtype === dtype && buffer.length === length, `${where}: operand ${i} fits`)
      if (access === "read") require(written.has(buffer.id), `${where} reads what is not there yet`)
    }
    for (const i of stored) {
      const buffer = buffers[step.buffers[i]]
      require(buffer.role === "output" || buffer.role === "temporary", `${where} may write there`)
      require(!written.has(buffer.id), `${where} writes ${buffer.id} a second time`)
      written.add(buffer.id)
      if (kernel.kind === "rows" || kernel.kind === "custom") continue
      require(sizeOf(outputExtents(kernel)) === buffer.length, `${where} writes all of its output`)
    }
    if (kernel.kind === "rows") checkRows(kernel, where)
    const extents = kernel.kind === "rows" ? undefined : variableExtents(kernel)
    for (const node of reachable(roots(kernel))) {
      if (node.kind === "variable" && extents !== undefined) {
        require(extents[node.index] === node.extent, `${where}: extent of v${node.index}`)
      }
      if (node.kind === "load" && node.operand < kernel.operands.length) {
        require(kernel.operands[node.operand].dtype === node.dtype, `${where}: dtype of a load`)
        require(!stored.has(node.operand), `${where} reads what it writes`)
      }
      checkOperandIds(node)
    }
  }
  for (const id of outputs) require(written.has(id), `output ${id} is written`)
  for (const { input, output } of inPlace) {
    const at = steps.findIndex((step) => step.buffers[0] === output)
    const { kernel, buffers: bound } = steps[at]
    const reads = reachable(roots(kernel)).some(
      (node) => node.kind === "load" && bound[node.operand] === input,
    )
    require(!reads, "an update in place reads nothing of what it overwrites")
    require(!steps.slice(at + 1).some((step) => step.buffers.includes(input)), "input is done")
  }
  checkArena(schedule)
  require(arenaBytes % arenaAlignment === 0, "the arena is whole")
}

/** Each stage stays inside its loops and its row, and reads locals after they are written. */
const checkRows = (kernel: RowsKernel, where: string): void => {
  const { operands, locals, loops, stages } = kernel
  const filled = new Set<number>()
  for (const stage of stages) {
    const extents = stageExtents(kernel, stage)
    for (const node of reachable(roots(stage))) {
      if (node.kind === "variable") {
        require(extents[node.index] === node.extent, `${where}: extent of v${node.index}`)
      }
      if (node.kind === "load" && node.operand >= operands.length) {
        const { dtype } = locals[node.operand - operands.length]
        require(dtype === node.dtype, `${where}: dtype of a local`)
        require(filled.has(node.operand), `${where} reads a local that is not there yet`)
        const outside = reachable([node.index]).some(
          (other) => other.kind === "variable" && other.index < loops.length,
        )
        require(!outside, `${where}: a local holds one row`)
      }
    }
    for (const { operand } of stage.outputs) {
      const local = operand >= operands.length
      if (local) filled.add(operand)
      const { length } = local ? locals[operand - operands.length] : operands[operand]
      const written = sizeOf(stage.loops) * (local ? 1 : sizeOf(loops))
      require(written === length, `${where} writes all of its output`)
    }
  }
}

const checkOperandIds = (node: Expression): void => {
  const operands = reachable([node]).filter((other) => other !== node)
  require(operands.every((other) => other.id < node.id), "operands have smaller ids")
}

/** No two temporaries that are alive at the same time share a byte. */
const checkArena = ({ buffers, steps, arenaBytes }: Schedule): void => {
  const temporaries = buffers
    .filter((buffer) => buffer.role === "temporary")
    .map(({ id, offset, length, dtype }) => {
      const uses = steps.flatMap((step, at) => (step.buffers.includes(id) ? [at] : []))
      require(offset !== undefined && offset % arenaAlignment === 0, `temporary ${id} is aligned`)
      const end = offset! + length * byteSize(dtype)
      require(end <= arenaBytes, `temporary ${id} lies inside the arena`)
      return { id, offset: offset!, end, first: uses[0], last: uses.at(-1)! }
    })
  for (const a of temporaries) {
    for (const b of temporaries) {
      if (a.id >= b.id || a.last < b.first || b.last < a.first) continue
      require(a.end <= b.offset || b.end <= a.offset, `temporaries ${a.id} and ${b.id} overlap`)
    }
  }
}
