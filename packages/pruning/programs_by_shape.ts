import type { CausalLM } from "@espalier/models"
import { Program } from "@espalier/tensor"
import { Effect } from "effect"

type Matrix = readonly [outputs: number, inputs: number]

/** One compiled program for each shape that the linears of a model have, and how to find it. */
export const programsByShape = Effect.fnUntraced(function* <I, O>(
  model: CausalLM,
  make: (shape: Matrix) => Program.Program<I, O>,
) {
  const programs = new Map<string, Program.Compiled<I, O>>()
  for (const { shape } of model.blocks.flatMap((block) => block.linears)) {
    const key = shape.join("x")
    if (!programs.has(key)) programs.set(key, yield* Program.compile(make(shape)))
  }
  return (shape: Matrix) => programs.get(shape.join("x"))!
})
