import { serve } from "../serve.ts"

// An engine for tests: its name on the command line says how it behaves.

const [behaviour = "good"] = process.argv.slice(2)

await serve(() =>
  Promise.resolve({
    versions: () => `fake ${behaviour}`,
    prepare: (name) => {
      // Greetings of a library must not disturb the conversation.
      console.log("hello from a library")
      if (behaviour === "broken") throw new Error(`cannot do ${name}`)
      if (behaviour === "dying") process.exit(3)
      let iterations = 0
      return Promise.resolve({
        values: () => Promise.resolve(behaviour === "wrong" ? [1, 2.1, 3] : [1, 2, 3]),
        iterate: (count) => {
          iterations += count
          if (behaviour === "tired" && iterations > 3) throw new Error("no more")
          return Promise.resolve()
        },
      })
    },
  }),
)
