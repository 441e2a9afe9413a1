import { assert, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Conformance from "./mod.ts"
import { graphProgram } from "./agreement.ts"
import { agreement, evaluateWithBounds } from "./bounds.ts"
import { shrinkGraph } from "./shrink.ts"
import { Device } from "../device.ts"
import { DTypeError, ShapeError } from "../errors.ts"
import * as Interpreter from "../interpreter.ts"
import type { Attributes } from "../ops/operation.ts"
import { input } from "../ops/source.ts"
import { operations } from "../ops/table.ts"
import * as Program from "../program.ts"
import { Spec } from "../program.ts"
import { topological } from "../schedule/graph.ts"
import { apply } from "../tensor.ts"
import type { Tensor } from "../tensor.ts"
import * as T from "../tensor_functions.ts"

describe("the interpreter agrees with the reference of every operation", () => {
  for (const conformanceCase of [...Conformance.rowCases(), ...Conformance.viewCases()]) {
    it.effect(conformanceCase.name, () =>
      Conformance.check(conformanceCase, Math.min(conformanceCase.tolerance, 1e-12)).pipe(
        Effect.provide(Interpreter.layer),
      ),
    )
  }
  for (const conformanceCase of Conformance.edgeCases(false)) {
    it.effect(conformanceCase.name, () =>
      Conformance.check(conformanceCase).pipe(Effect.provide(Interpreter.layer)),
    )
  }
})

describe("a tensor without elements", () => {
  const refused = (make: () => unknown): boolean => {
    try {
      make()
      return false
    } catch (error) {
      if (error instanceof ShapeError || error instanceof DTypeError) return true
      throw error
    }
  }

  it("cannot be given to a program", () => {
    const make = () => Program.make("empty", { x: Spec.f32([3, 0]) }, ({ x }) => x)
    assert.throws(make, "every extent of the result must be a whole number of at least 1")
  })

  /** The attributes with one of their numbers replaced by 0 or by its neighbour. */
  const emptied = (attributes: Attributes): ReadonlyArray<Attributes> =>
    Object.entries(attributes).flatMap(([key, value]) => {
      if (!Array.isArray(value)) return []
      const numbers = value as ReadonlyArray<number>
      return numbers.flatMap((n, i) =>
        [0, n - 1, n + 1, -n].map((m) => ({ ...attributes, [key]: numbers.with(i, m) })),
      )
    })

  for (const row of operations.filter(({ examples }) => examples.length > 0)) {
    it(`cannot be made by ${row.name}`, () => {
      for (const { inputs, attributes } of row.examples) {
        const applied = (shapes: ReadonlyArray<ReadonlyArray<number>>, changed: Attributes) =>
          apply(
            row,
            inputs.map(({ dtype }, i) => input(i, `x${i}`, shapes[i], dtype)),
            changed,
          )
        const shapes = inputs.map(({ shape }) => shape)
        for (const changed of [attributes, ...emptied(attributes)]) {
          const made: Array<Tensor> = []
          refused(() => made.push(applied(shapes, changed)))
          for (const { shape } of made) assert.isTrue(shape.every((extent) => extent > 0))
        }
        for (const [i, shape] of shapes.entries()) {
          for (const axis of shape.keys()) {
            const empty = shapes.with(i, shape.with(axis, 0))
            assert.isTrue(refused(() => applied(empty, attributes)))
          }
        }
      }
    })
  }

  it("integers have no power", () => {
    const make = () => Program.make("power", [Spec.i32([3])], ([x]) => T.pow(x, x))
    assert.throws(make, "pow of i32 and i32: needs f32, f16, f64")
  })
})

describe("random graphs", () => {
  it("use every row of the op table that has examples", () => {
    const used = new Set<string>()
    for (let index = 0; index < 1500; index++) {
      const { program } = graphProgram(Conformance.graphOf(1, index))
      for (const { operation } of topological(program.outputs)) used.add(operation.name)
    }
    assert.deepStrictEqual(
      Conformance.coveredRows.filter((name) => !used.has(name)),
      [],
    )
  })

  it.effect("agree on the interpreter, within bounds that nearly always say something", () =>
    Effect.gen(function* () {
      const repeat = "pnpm --dir packages/tensor run test"
      const tally = yield* Conformance.checkGraphs({ seed: 5, count: 300, repeat })
      assert.isAbove(tally.checked / tally.elements, 0.9)
      assert.isAbove(tally.inPlace, 5)
    }).pipe(Effect.provide(Interpreter.layer)),
  )

  it("are the same for the same seed", () => {
    assert.deepStrictEqual(Conformance.graphOf(3, 7), Conformance.graphOf(3, 7))
    assert.notDeepEqual(Conformance.graphOf(3, 7), Conformance.graphOf(4, 7))
    assert.strictEqual(Conformance.daySeed(new Date("2031-02-03T23:59:59Z")), 20310203)
  })
})

/** The interpreter with a mistake: the first number of every program's first output. */
const mistaken = Effect.map(Device, (device) =>
  Device.of({
    ...device,
    compile: (schedule) =>
      Effect.map(device.compile(schedule), ({ run }) => ({
        run: (inputs, outputs) =>
          Effect.gen(function* () {
            yield* run(inputs, outputs)
            const { dtype, length } = schedule.buffers[schedule.outputs[0]]
            const data = yield* device.read(outputs[0], dtype, length)
            data[0] = dtype === "bool" ? 1 - data[0] : data[0] + 1
            yield* device.write(outputs[0], dtype, data)
          }),
      })),
  }),
)

describe("the suite itself", () => {
  it.effect("is the same for the same seed", () =>
    Effect.gen(function* () {
      const [first, second] = [
        yield* Conformance.compositeCases(),
        yield* Conformance.compositeCases(),
      ]
      expect(first.map((c) => c.expected)).toEqual(second.map((c) => c.expected))
    }),
  )
  it("notices a wrong value", () => {
    const [first] = Conformance.rowCases().filter((c) => c.name === "exp")
    const expected = first.expected[4]
    const wrong = { ...expected, data: expected.data.map((x, i) => (i === 7 ? x * 1.001 : x)) }
    expect(Conformance.compare("exp", 4, wrong, expected, 1e-6)?.position).toBe(7)
  })
  it.effect("shrinks what a wrong device gets wrong to a few operations", () =>
    Effect.gen(function* () {
      const run = { seed: 2, count: 100, repeat: "again" }
      const failure = yield* Effect.flip(
        Effect.provideServiceEffect(Conformance.checkGraphs(run), Device, mistaken),
      )
      assert.match(failure.message, /random graph \d+ of seed 2 \(again with: again\)/)
      assert.match(failure.message, /output 0 at 0 is/)
      // Inputs, one operation a line, the outputs; then the kernels.
      assert.isAtMost(failure.graph.split("\n\n")[0].split("\n").length, 5)
    }).pipe(Effect.provide(Interpreter.layer)),
  )
  it.effect("shrinking keeps what fails", () =>
    Effect.gen(function* () {
      const recipe = Conformance.graphOf(1, 4)
      const fails = ({ steps }: Conformance.GraphRecipe) =>
        Effect.succeed(steps.some((step) => step.maker === recipe.steps[2].maker))
      const small = yield* shrinkGraph(recipe, fails)
      assert.strictEqual(small.steps.length, 1)
      assert.strictEqual(small.outputs.length, 1)
    }),
  )
  it("widens its bounds where a comparison may go either way", () => {
    const inputs = [
      { shape: [2], dtype: "f32" as const, data: Float32Array.of(1, 2) },
      { shape: [2], dtype: "f32" as const, data: Float32Array.of(1, 1) },
    ]
    const { outputs } = Program.make("ties", [Spec.f32([2]), Spec.f32([2])], ([x, y]) => [
      T.less(T.log(x), T.log(y)),
      T.less(x, y),
    ])
    const [near, exact] = evaluateWithBounds(outputs, inputs)
    assert.deepStrictEqual([...near.errors], [1, 0])
    assert.deepStrictEqual([...exact.errors], [0, 0])
    const other = { shape: [2], dtype: "bool" as const, data: Uint32Array.of(1, 0) }
    assert.strictEqual(agreement(other, near).worst.position, -1)
    assert.strictEqual(agreement(other, exact).worst.position, 0)
  })
})
