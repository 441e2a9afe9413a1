import { ShapeError } from "../errors.ts"
import { broadcastShapes } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { apply } from "../tensor.ts"
import type { Operand } from "./binary.ts"
import { align } from "./binary.ts"
import { defineOperation, pointwiseExamples } from "./operation.ts"
import type { None } from "./pointwise_rules.ts"
import { domains, none, requireKind, requireSame } from "./pointwise_rules.ts"
import { broadcastTo } from "./views.ts"

export const whereRow = defineOperation<None>({
  name: "where",
  summary: "y where the condition holds, z elsewhere",
  arity: 3,
  infer: (inputs) => {
    requireKind("where", "bool", [inputs[0]])
    requireSame("where", [{ ...inputs[0], dtype: inputs[1].dtype }, inputs[1], inputs[2]])
    return { shape: inputs[1].shape, dtype: inputs[1].dtype }
  },
  gradient: (g, node) => [undefined, where(node.inputs[0], g, 0), where(node.inputs[0], 0, g)],
  lower: {
    kind: "pointwise",
    value: ({ builder }, [condition, yes, no]) => builder.select(condition, yes, no),
  },
  reference: ([c, y, z]) => Array.from(c.data, (on, i) => (on === 0 ? z.data[i] : y.data[i])),
  examples: pointwiseExamples(
    none,
    (["f32", "i32", "u32", "bool"] as const).map((dtype) => [
      { dtype: "bool" as const, domain: [0, 1] as const },
      { dtype, domain: domains(dtype, [-3, 3]) },
      { dtype, domain: domains(dtype, [-3, 3]) },
    ]),
  ),
  tolerance: 0,
})

/** `yes` where `condition` holds, `no` elsewhere; everything broadcasts. */
export const where = (condition: Tensor, yes: Operand, no: Operand): Tensor => {
  const [y, n] = align("where", yes, no)
  const shape = broadcastShapes(condition.shape, y.shape)
  if (shape === undefined) {
    const shapes = [condition.shape, y.shape]
    throw new ShapeError({
      operation: "where",
      shapes,
      problem: "shapes do not broadcast together",
    })
  }
  return apply(
    whereRow,
    [condition, y, n].map((x) => broadcastTo(x, shape)),
    none,
  )
}
