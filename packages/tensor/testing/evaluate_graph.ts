import { allocate, isFloat } from "../dtype.ts"
import type { HostArray } from "../host_array.ts"
import { topological } from "../schedule/graph.ts"
import type { Tensor } from "../tensor.ts"

/**
 * Evaluates tensors one operation at a time with the op table's references, in `f64`: no graph
 * rewriting, no fusion, no kernels. What the scheduled program gives has to be the same.
 */
export const evaluateGraph = (
  outputs: ReadonlyArray<Tensor>,
  inputs: ReadonlyArray<HostArray>,
): ReadonlyArray<HostArray> => {
  const values = new Map<Tensor, HostArray>()
  for (const tensor of topological(outputs)) {
    const { operation, attributes, shape, dtype } = tensor
    if (operation.name === "input") {
      values.set(tensor, inputs[attributes["index"] as number])
      continue
    }
    const operands = tensor.inputs.map((input) => values.get(input)!)
    const found = operation.reference(operands, attributes, { shape, dtype })
    const data = isFloat(dtype) ? new Float64Array(found.length) : allocate(dtype, found.length)
    data.set(found)
    values.set(tensor, { shape, dtype, data })
  }
  return outputs.map((output) => values.get(output)!)
}
