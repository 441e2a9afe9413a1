import type { Step } from "@espalier/pipeline"
import { Command, Flag } from "effect/cli"
import type { Application } from "./application.ts"
import { describeStep } from "./describe_step.ts"
import { writeOut } from "./terminal.ts"

const plain = <R>(step: Step<R>): string => {
  const rows = describeStep(step)
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => Array.from(row[column]).length))
  const lines = rows.map(([name, takes, about]) =>
    `  ${name.padEnd(width(0))}  ${takes.padEnd(width(1))}  ${about}`.trimEnd(),
  )
  return `${step.use}: ${step.description}\n${lines.join("\n")}\n`
}

const markdown = <R>(step: Step<R>): string => {
  const escape = (text: string) => text.replaceAll("|", "\\|")
  const rows = describeStep(step).map(
    ([name, takes, about]) =>
      `| ${name === "→" ? name : `\`${name}\``} | ${escape(takes)} | ${escape(about)} |\n`,
  )
  return `### ${step.use}\n\n${step.description}\n\n| key | takes | meaning |\n| --- | --- | --- |\n${rows.join("")}`
}

/** The reference of the steps as a page. */
export const stepsAsMarkdown = <R>(steps: ReadonlyArray<Step<R>>): string =>
  steps.map(markdown).join("\n")

/** `espalier list`, or `espalier steps`. */
export const makeStepsCommand = <R>(application: Application<R>) =>
  Command.make(
    "list",
    {
      markdown: Flag.Boolean("markdown").pipe(
        Flag.withDescription("print the list as a Markdown page"),
        Flag.withDefault(false),
      ),
    },
    (options) =>
      writeOut(
        options.markdown
          ? stepsAsMarkdown(application.steps)
          : application.steps.map(plain).join("\n"),
      ),
  ).pipe(
    Command.withAlias("steps"),
    Command.withDescription("List the steps that pipelines are made of, and what each takes"),
  )
