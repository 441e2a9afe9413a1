import { topological } from "../schedule/graph.ts"
import type { Tensor } from "../tensor.ts"

const attributesText = (attributes: Tensor["attributes"]): string => {
  const parts = Object.entries(attributes).map(([key, value]) => {
    const text = typeof value === "object" ? `[${Array.from(value).join(", ")}]` : String(value)
    return `${key}: ${text}`
  })
  return parts.length === 0 ? "" : `{ ${parts.join(", ")} }`
}

/** A graph as a person would write it down: one operation a line. */
export const listing = (outputs: ReadonlyArray<Tensor>): string => {
  const names = new Map<Tensor, string>()
  const lines = topological(outputs).map((tensor, i) => {
    const { operation, attributes, dtype, shape, inputs } = tensor
    const isInput = operation.name === "input"
    const name = isInput ? `in${String(attributes["index"])}` : `t${i}`
    names.set(tensor, name)
    const type = `${dtype} [${shape.join(", ")}]`
    if (isInput) return `${name}: ${type}`
    const operands = [...inputs.map((input) => names.get(input)), attributesText(attributes)]
    return `${name} = ${operation.name}(${operands.filter(Boolean).join(", ")})  // ${type}`
  })
  return [...lines, `return ${outputs.map((output) => names.get(output)).join(", ")}`].join("\n")
}
