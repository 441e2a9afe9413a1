import { type Step, suggest } from "@espalier/pipeline"
import { Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
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

const asMarkdown = <R>(step: Step<R>): string => {
  const escape = (text: string) => text.replaceAll("|", "\\|")
  const rows = describeStep(step).map(
    ([name, takes, about]) =>
      `| ${name === "→" ? name : `\`${name}\``} | ${escape(takes)} | ${escape(about)} |\n`,
  )
  return `### ${step.use}\n\n${step.description}\n\n| key | takes | meaning |\n| --- | --- | --- |\n${rows.join("")}`
}

/** The reference of the steps as a page. */
export const stepsAsMarkdown = <R>(steps: ReadonlyArray<Step<R>>): string =>
  steps.map(asMarkdown).join("\n")

/** Steps were asked for, and there are none of that name. */
export class StepsUnknown extends Schema.TaggedError<StepsUnknown>()("StepsUnknown", {
  name: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `there is no step ${this.name}, nor are there steps ${this.name}/…`
  }
}

/** The step of that name, or all of a group: `prune`. */
const findSteps = <R>(steps: ReadonlyArray<Step<R>>, name: string) => {
  const found = steps.filter(({ use }) => use === name || use.startsWith(`${name}/`))
  if (found.length > 0) return Effect.succeed(found)
  const groups = new Set(steps.map(({ use }) => use.slice(0, use.indexOf("/"))))
  const known = [...groups, ...steps.map(({ use }) => use)]
  return Effect.fail(new StepsUnknown({ name, hint: suggest(name, known, "steps") }))
}

/** `espalier list`, or `espalier steps`. */
export const makeStepsCommand = <R>(application: Application<R>) =>
  Command.make(
    "list",
    {
      name: Argument.String("STEP").pipe(
        Argument.withDescription("a step, such as prune/wanda, or a group of them, such as prune"),
        Argument.optional,
      ),
      markdown: Flag.Boolean("markdown").pipe(
        Flag.withDescription("print the list as a Markdown page"),
        Flag.withDefault(false),
      ),
    },
    Effect.fnUntraced(function* ({ name, markdown }) {
      const steps = Option.isSome(name)
        ? yield* findSteps(application.steps, name.value)
        : application.steps
      yield* writeOut(markdown ? stepsAsMarkdown(steps) : steps.map(plain).join("\n"))
    }),
  ).pipe(
    Command.withAlias("steps"),
    Command.withDescription("List the steps that pipelines are made of, and what each takes"),
  )
