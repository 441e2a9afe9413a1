import { Argument, Command, Completions } from "effect/cli"
import { writeOut } from "./terminal.ts"

/** `espalier completions SHELL`, for the command that `root` gives. */
export const makeCompletionsCommand = (root: () => Command.Command.Any) =>
  Command.make(
    "completions",
    {
      shell: Argument.Literals("SHELL", ["bash", "zsh", "fish"]).pipe(
        Argument.withDescription("e.g. source <(espalier completions bash)"),
      ),
    },
    ({ shell }) =>
      writeOut(`${Completions.generate("espalier", shell, Completions.fromCommand(root()))}\n`),
  ).pipe(Command.withDescription("Print a script that completes commands and flags in a shell"))
