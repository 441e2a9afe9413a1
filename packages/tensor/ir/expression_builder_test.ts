import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { forEachIndex, sizeOf, stridesOf } from "../shape.ts"
import { evaluateExpression } from "../testing/evaluate_expression.ts"
import * as Scalar from "./evaluate_scalar.ts"
import type { BinaryFunction, Expression } from "./expression.ts"
import { linearForm, strideOf } from "./expression.ts"
import { ExpressionBuilder } from "./expression_builder.ts"
import { printExpression } from "./print.ts"
import { rewrite } from "./rewrite.ts"

const extents = [3, 4, 5]

/** An expression before any builder has seen it: what it means is plain to see. */
type Tree =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "variable"; readonly index: number }
  | { readonly kind: "load"; readonly index: Tree }
  | {
      readonly kind: "binary"
      readonly function: BinaryFunction
      readonly left: Tree
      readonly right: Tree
    }
  | {
      readonly kind: "select"
      readonly comparison: "less" | "lessEqual" | "equal"
      readonly operands: readonly [Tree, Tree]
      readonly choices: readonly [Tree, Tree]
    }

/** Data that an expression may load: small numbers, and the worst ones. */
const data = [0, 1, -1, 7, -12, 2147483647, -2147483648, 65536]
const load = (_: number, index: number): number => data[((index % 8) + 8) % 8]

const build = (builder: ExpressionBuilder, tree: Tree): Expression => {
  switch (tree.kind) {
    case "constant":
      return builder.constant(tree.value, "i32")
    case "variable":
      return builder.variable(tree.index, extents[tree.index])
    case "load":
      return builder.load(0, build(builder, tree.index), "i32")
    case "binary":
      return builder.binary(tree.function, build(builder, tree.left), build(builder, tree.right))
    case "select": {
      const [left, right] = tree.operands.map((operand) => build(builder, operand))
      const [yes, no] = tree.choices.map((choice) => build(builder, choice))
      return builder.select(builder.binary(tree.comparison, left, right), yes, no)
    }
  }
}

const evaluate = (tree: Tree, variables: ReadonlyArray<number>): number => {
  switch (tree.kind) {
    case "constant":
      return tree.value
    case "variable":
      return variables[tree.index]
    case "load":
      return load(0, evaluate(tree.index, variables))
    case "binary": {
      const [left, right] = [evaluate(tree.left, variables), evaluate(tree.right, variables)]
      return Scalar.binary(tree.function, "i32", left, right)
    }
    case "select": {
      const [left, right] = tree.operands.map((operand) => evaluate(operand, variables))
      const holds = Scalar.binary(tree.comparison, "i32", left, right)
      return evaluate(tree.choices[holds === 0 ? 1 : 0], variables)
    }
  }
}

const treeOf = (constants: fc.Arbitrary<number>, divisors: fc.Arbitrary<number>) =>
  fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5, depthSize: "medium" },
      fc.record({
        kind: fc.constant("variable" as const),
        index: fc.integer({ min: 0, max: extents.length - 1 }),
      }),
      fc.record({ kind: fc.constant("constant" as const), value: constants }),
      fc.record({ kind: fc.constant("load" as const), index: tie("tree") }),
      fc.record({
        kind: fc.constant("binary" as const),
        function: fc.constantFrom<BinaryFunction>(
          "add",
          "add",
          "subtract",
          "multiply",
          "minimum",
          "maximum",
        ),
        left: tie("tree"),
        right: tie("tree"),
      }),
      fc.record({
        kind: fc.constant("binary" as const),
        function: fc.constantFrom<BinaryFunction>("divide", "remainder"),
        left: tie("tree"),
        right: divisors.map((value): Tree => ({ kind: "constant", value })),
      }),
      fc.record({
        kind: fc.constant("select" as const),
        comparison: fc.constantFrom("less" as const, "lessEqual" as const, "equal" as const),
        operands: fc.tuple(tie("tree"), tie("tree")),
        choices: fc.tuple(tie("tree"), tie("tree")),
      }),
    ),
  })).tree

const small = treeOf(
  fc.integer({ min: -12, max: 60 }),
  fc.constantFrom(1, 2, 3, 4, 5, 6, 8, 12, 20),
)
const wild = treeOf(
  fc.oneof(
    fc.integer({ min: -20, max: 20 }),
    fc.constantFrom(65536, -65536, 2147483647, -2147483648, 1073741824),
    fc.integer({ min: -2147483648, max: 2147483647 }),
  ),
  fc.oneof(fc.integer({ min: -6, max: 12 }), fc.constantFrom(65536, 2147483647, -2147483648)),
)

const agrees = (tree: Tree): void => {
  const builder = new ExpressionBuilder()
  const expression = build(builder, tree)
  const [low, high] = builder.range(expression)
  const copied = rewrite(new ExpressionBuilder(), () => undefined)(expression)
  forEachIndex(extents, (variables) => {
    const expected = evaluate(tree, variables)
    const found = evaluateExpression(expression, { variables, load })
    if (found !== expected) {
      assert.fail(
        `${printExpression(expression)} is ${found}, not ${expected}, at ${variables.join(", ")}`,
      )
    }
    assert.isTrue(low <= found && found <= high, `${found} is outside ${low} … ${high}`)
    assert.strictEqual(evaluateExpression(copied, { variables, load }), expected)
  })
}

describe("ExpressionBuilder", () => {
  it("keeps the value of every index expression, inside its range", () => {
    fc.assert(fc.property(small, agrees), { numRuns: 1500, seed: 1 })
  })

  it("keeps it where sums overflow and divisors are negative or zero", () => {
    fc.assert(fc.property(wild, agrees), { numRuns: 1500, seed: 2 })
  })

  it("gives the same object for the same expression", () => {
    fc.assert(
      fc.property(small, (tree) => {
        const builder = new ExpressionBuilder()
        assert.strictEqual(build(builder, tree), build(builder, tree))
      }),
      { seed: 3 },
    )
  })

  it("gives operands smaller ids than the expression that uses them", () => {
    fc.assert(
      fc.property(small, (tree) => {
        const check = (node: Expression): void => {
          if (node.kind !== "binary") return
          assert.isTrue(node.left.id < node.id && node.right.id < node.id)
          check(node.left)
          check(node.right)
        }
        check(build(new ExpressionBuilder(), tree))
      }),
      { seed: 4 },
    )
  })

  it("folds constants and drops what does nothing", () => {
    const b = new ExpressionBuilder()
    const v = b.variable(0, 10)
    const x = b.load(0, v, "f32")
    assert.strictEqual(b.add(v, 0), v)
    assert.strictEqual(b.multiply(v, 1), v)
    assert.strictEqual(b.subtract(v, v), b.constant(0, "i32"))
    assert.strictEqual(b.divide(v, 10), b.constant(0, "i32"))
    assert.strictEqual(b.remainder(v, 10), v)
    assert.strictEqual(b.binary("less", v, b.constant(10, "i32")), b.constant(1, "bool"))
    assert.strictEqual(b.binary("maximum", v, b.constant(0, "i32")), v)
    assert.strictEqual(b.binary("multiply", x, b.constant(1, "f32")), x)
    assert.strictEqual(b.binary("subtract", x, b.constant(0, "f32")), x)
    // x + 0 is not x for x = −0.
    assert.notStrictEqual(b.binary("add", x, b.constant(0, "f32")), x)
    assert.strictEqual(b.binary("add", x, b.constant(-0, "f32")), x)
    assert.strictEqual(b.variable(1, 1), b.constant(0, "i32"))
    const [yes, no] = [b.constant(1, "bool"), b.constant(0, "bool")]
    const condition = b.load(1, v, "bool")
    assert.strictEqual(b.binary("and", condition, yes), condition)
    assert.strictEqual(b.binary("and", no, condition), no)
    assert.strictEqual(b.binary("or", no, condition), condition)
    assert.strictEqual(b.binary("or", condition, yes), yes)
  })

  it("keeps −0 and NaN apart from other constants", () => {
    const b = new ExpressionBuilder()
    assert.notStrictEqual(b.constant(0, "f32"), b.constant(-0, "f32"))
    assert.strictEqual(b.constant(Number.NaN, "f32"), b.constant(Number.NaN, "f32"))
  })
})

/** Shapes that hold the same number of elements. */
const shapesOf = (size: number): fc.Arbitrary<ReadonlyArray<number>> => {
  const divisors = Array.from({ length: size }, (_, i) => i + 1).filter((d) => size % d === 0)
  return fc.array(fc.constantFrom(...divisors), { minLength: 1, maxLength: 4 }).map((factors) => {
    const shape: Array<number> = []
    let rest = size
    for (const factor of factors) {
      if (rest % factor !== 0) continue
      shape.push(factor)
      rest /= factor
    }
    return [...shape, rest]
  })
}

describe("views of views", () => {
  const reshapes = fc
    .constantFrom(12, 24, 36, 60, 64, 72)
    .chain((size) => fc.array(shapesOf(size), { minLength: 2, maxLength: 5 }))

  it("reshape after reshape is one plain address", () => {
    fc.assert(
      fc.property(reshapes, (shapes) => {
        const b = new ExpressionBuilder()
        const last = shapes.at(-1)!
        const variables = last.map((extent, axis) => b.variable(axis, extent))
        let index: ReadonlyArray<Expression> = variables
        for (let i = shapes.length - 2; i >= 0; i--) {
          index = b.delinearize(b.linearize(index, shapes[i + 1]), shapes[i])
        }
        const address = b.linearize(index, shapes[0])
        assert.strictEqual(address, b.linearize(variables, last))
        const strides = stridesOf(last)
        for (const [axis, extent] of last.entries()) {
          assert.strictEqual(strideOf(address, axis), extent === 1 ? 0 : strides[axis])
        }
      }),
      { numRuns: 500, seed: 5 },
    )
  })

  it("delinearize undoes linearize", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 }),
        (shape) => {
          const b = new ExpressionBuilder()
          const variables = shape.map((extent, axis) => b.variable(axis, extent))
          const index = b.delinearize(b.linearize(variables, shape), shape)
          assert.deepStrictEqual(index, variables)
          const position = b.variable(9, sizeOf(shape))
          assert.strictEqual(b.linearize(b.delinearize(position, shape), shape), position)
        },
      ),
      { seed: 6 },
    )
  })
})

describe("linearForm", () => {
  it("adds up to the expression", () => {
    fc.assert(
      fc.property(wild, (tree) => {
        const expression = build(new ExpressionBuilder(), tree)
        const { constant, terms } = linearForm(expression)
        forEachIndex(extents, (variables) => {
          let total = constant
          for (const { atom, coefficient } of terms) {
            const value = evaluateExpression(atom, { variables, load })
            total = (total + Math.imul(coefficient, value)) | 0
          }
          assert.strictEqual(total, evaluateExpression(expression, { variables, load }))
        })
      }),
      { numRuns: 300, seed: 7 },
    )
  })

  it("knows the stride of a variable, or that there is none", () => {
    const b = new ExpressionBuilder()
    const [v, w] = [b.variable(0, 6), b.variable(1, 10)]
    const address = b.add(b.add(b.multiply(v, 10), w), 3)
    assert.strictEqual(strideOf(address, 0), 10)
    assert.strictEqual(strideOf(address, 1), 1)
    assert.strictEqual(strideOf(address, 2), 0)
    assert.strictEqual(strideOf(b.divide(address, 7), 1), undefined)
    assert.strictEqual(strideOf(b.load(0, v, "i32"), 0), undefined)
  })
})
