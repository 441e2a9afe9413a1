import { Argument } from "effect/cli"
import { commonFlags } from "./common_flags.ts"

/** What commands take that look at runs of the past. */
export const historyFlags = { store: commonFlags.store, json: commonFlags.json }

/** The run that a command is about. */
export const runArgument = Argument.String("RUN").pipe(
  Argument.withDescription("the name of a run, or its beginning (default: the last one)"),
  Argument.optional,
)
