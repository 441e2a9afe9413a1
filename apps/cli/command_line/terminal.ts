import { Effect } from "effect"

/** Writes to standard output and waits until it is through, so that no exit cuts it off. */
export const writeOut = (text: string): Effect.Effect<void> => write(process.stdout, text)

/** Writes to standard error. */
export const writeError = (text: string): Effect.Effect<void> => write(process.stderr, text)

/** A reader that has gone away (`espalier … | head`) is no error of ours. */
const write = (stream: NodeJS.WriteStream, text: string): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    stream.write(text, () => resume(Effect.void))
  })
