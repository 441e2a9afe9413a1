import { Command } from "effect/cli"
import { pipelineJsonSchema } from "../json_schema.ts"
import type { Application } from "./application.ts"
import { writeOut } from "./terminal.ts"

/** `espalier schema`. */
export const makeSchemaCommand = <R>(application: Application<R>) =>
  Command.make("schema", {}, () =>
    writeOut(`${JSON.stringify(pipelineJsonSchema(application.steps), null, 2)}\n`),
  ).pipe(Command.withDescription("Print the JSON Schema of pipeline files, for editors"))
