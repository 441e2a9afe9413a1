export { makeLayerProblem, toHost, toRows } from "./layers.ts"
export { readStories, readWindows } from "./stories.ts"
export { tinyLlama, tinyWindows } from "./tiny_llama.ts"
