import { Command } from "effect/cli"
import type { Application } from "./application.ts"
import { describeStep } from "./describe_step.ts"
import { writeOut } from "./terminal.ts"

/** `espalier steps`. */
export const makeStepsCommand = <R>(application: Application<R>) =>
  Command.make("steps", {}, () => {
    const sections = application.steps.map((step) => {
      const rows = describeStep(step)
      const width = (column: 0 | 1) =>
        Math.max(...rows.map((row) => Array.from(row[column]).length))
      const lines = rows.map(([name, takes, about]) =>
        `  ${name.padEnd(width(0))}  ${takes.padEnd(width(1))}  ${about}`.trimEnd(),
      )
      return `${step.use}: ${step.description}\n${lines.join("\n")}\n`
    })
    return writeOut(sections.join("\n"))
  }).pipe(Command.withDescription("List the steps that pipelines are made of, and what each takes"))
