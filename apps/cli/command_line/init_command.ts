import { Effect, FileSystem, Path } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { pipelineJsonSchema } from "../json_schema.ts"
import { templates } from "../templates.ts"
import type { Application } from "./application.ts"
import { writeOut } from "./terminal.ts"
import { refuseExisting, unwritable } from "./write_folder.ts"

const names = Object.keys(templates) as Array<keyof typeof templates>

/** `espalier init [TEMPLATE]`. */
export const makeInitCommand = <R>(application: Application<R>) =>
  Command.make(
    "init",
    {
      template: Argument.Literals("TEMPLATE", names).pipe(
        Argument.withDescription(
          names.map((name) => `${name}: ${templates[name].about}`).join("; "),
        ),
        Argument.withDefault("demo" as const),
      ),
      out: Flag.String("out").pipe(
        Flag.withDescription("the file to write"),
        Flag.withDefault("pipeline.yaml"),
      ),
    },
    Effect.fnUntraced(function* ({ template, out }) {
      const fileSystem = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const file = path.resolve(out)
      yield* refuseExisting(file)
      const schema = path.join(path.dirname(file), "pipeline.schema.json")
      const text = `${JSON.stringify(pipelineJsonSchema(application.steps), null, 2)}\n`
      const write = (name: string, content: string) =>
        Effect.mapError(
          Effect.andThen(
            fileSystem.makeDirectory(path.dirname(name), { recursive: true }),
            Effect.andThen(
              fileSystem.writeFileString(`${name}.partial`, content),
              fileSystem.rename(`${name}.partial`, name),
            ),
          ),
          unwritable(name),
        )
      yield* write(schema, text)
      const head = "# yaml-language-server: $schema=pipeline.schema.json\n"
      yield* write(file, head + templates[template].text)
      yield* writeOut(
        `${out}: ${templates[template].about}\n\nespalier plan ${out}\nespalier run ${out}\n`,
      )
    }),
  ).pipe(
    Command.withDescription("Write a pipeline to begin with, and a schema for editors beside it"),
  )
